// The budget check behind Ask, Guard and Gate: whether a tenant may spend. Answers within its deadline whatever fails.
// Never presents a failure as a refusal, nor a refusal as a failure.

import { isServable, keepForMs, planRefresh } from "../../budget/freshness.ts";
import { asOf, type SpendRecord } from "../../budget/spend.ts";
import type { TenantConfig, TenantId } from "../../budget/tenant.ts";
import { strictest, verdictOn } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";
import type { ConfiguredTenant } from "../edge/cached-tenant.ts";
import { findOutage } from "../litellm/outage.ts";
import { answerUnfound, answerWithoutRead, inferLater } from "./answer-degraded.ts";
import type { Caller, Check, CheckDeps, CheckInput, CheckOutcome, Unfound } from "./check.ts";
import { pollMemory } from "./deadline.ts";
import { confirmOwner, type FoundTenant, findByKey, findByTeam, type KeySearch } from "./find-tenant.ts";
import { type LoadedTenant, loadTenant } from "./load-tenant.ts";
import { type RefreshOutcome, startRefresh } from "./refresh-tenant.ts";

/** True when the deployment allows calls by unmanaged keys. */
export function allowsUnmanaged({ policy }: Pick<Ports, "policy">): boolean {
  return policy.unmanagedKeys === "allow";
}

/** What a check of one tenant ends in. */
type Checked = Exclude<CheckOutcome, { kind: "undecided" }> | Unfound;

const isUnfound = (checked: Checked): checked is Unfound => checked.kind === "slow" || checked.kind === "unreachable";

export async function checkBudget(input: CheckInput, deps: CheckDeps): Promise<CheckOutcome> {
  const deadline = deps.timers.after(deps.policy.checkDeadlineMs);
  const inference = inferLater(input, deps);
  const check = { ...input, deadline: deadline.passed, inference };
  try {
    const checked = await checkCaller(check, deps);
    return isUnfound(checked) ? await answerUnfound(checked, check, deps) : checked;
  } finally {
    inference.cancel();
    deadline.cancel();
  }
}

/** Checks the key's tenant and the one of its team, which may be the same. */
async function checkCaller(check: Check, deps: CheckDeps): Promise<Checked> {
  const { caller, now, deadline } = check;
  if (caller.kind === "tenant") return (await checkTenant(caller.tenantId, check, deps)) ?? UNKNOWN;
  const { keyHash, network } = caller;
  const onLate = (found: FoundTenant) => learnLate(found, check, deps);
  const late = { now, deadline, onLate };
  const search = keyHash === null ? null : { keyHash, network, isTeamKnown: caller.teamId !== undefined, ...late };
  const teamId = caller.teamId ?? (keyHash === null ? null : deps.memory.teamOf(keyHash));
  const [ofKey, ofTeam] = await Promise.all([
    search === null ? UNKNOWN : findByKey(search, deps),
    teamId === null ? UNKNOWN : findByTeam({ teamId, ...late }, deps),
  ]);
  const isOne = ofKey.kind === "tenant" && ofTeam.kind === "tenant" && ofKey.tenantId === ofTeam.tenantId;
  const checked = await Promise.all([
    isOne || search === null ? null : checkKey(ofKey, search, check, deps),
    checkFound(ofTeam, check, deps),
  ]);
  return checked.filter((each) => each !== null).reduce(stricterOf, UNKNOWN);
}

const UNKNOWN = { kind: "unknown" } as const;

/** Null when the tenant is gone, or not the caller's. */
async function checkKey(found: FoundTenant, search: KeySearch, check: Check, deps: CheckDeps): Promise<Checked | null> {
  const checked = await checkFound(found, check, deps);
  if (found.kind === "tenant" && checked !== null) confirmOwner(found.tenantId, search, deps);
  if (checked !== null) return checked;
  // The edge's entry for the key led to a deleted tenant, or to another team's: the stores know better.
  const anew = await findByKey({ ...search, isAnew: true }, deps);
  return checkFound(anew, check, deps);
}

/** Null when the tenant is gone, or not the caller's. */
function checkFound(found: FoundTenant, check: Check, deps: CheckDeps): Promise<Checked | null> | Checked {
  if (found.kind === "tenant") return checkTenant(found.tenantId, check, deps);
  return found.kind === "slow" || found.kind === "unreachable" ? { kind: found.kind, tenantId: null } : found;
}

/** The stricter of two verdicts; else a verdict before anything else, and a doubt before "unknown". */
function stricterOf(ofKey: Checked, ofTeam: Checked): Checked {
  if (ofKey.kind === "verdict" && ofTeam.kind === "verdict") {
    const verdict = strictest(ofKey.verdict, ofTeam.verdict);
    return { kind: "verdict", verdict, keepForMs: Math.min(ofKey.keepForMs, ofTeam.keepForMs) };
  }
  return PRECEDENCE.indexOf(ofTeam.kind) < PRECEDENCE.indexOf(ofKey.kind) ? ofTeam : ofKey;
}

const PRECEDENCE: readonly Checked["kind"][] = ["verdict", "slow", "unreachable", "too_many_unknown", "unknown"];

/** Null when the tenant is gone, or LiteLLM names another team for the caller. */
async function checkTenant(tenantId: TenantId, check: Check, deps: CheckDeps): Promise<Checked | null> {
  const loading = loadTenant({ tenantId, now: check.now }, deps);
  const loaded = await Promise.race([loading, check.deadline]);
  if (loaded === "passed") {
    deps.background(
      "late tenant",
      loading.then((late) => refreshLate(late, check, deps)),
    );
    return checkRemembered(tenantId, check, deps);
  }
  if (loaded.kind === "gone") return null;
  if (loaded.kind === "unreachable") return { kind: "unreachable", tenantId };
  if (hasLeftTeam(check.caller, loaded.known.config)) return null;
  return checkKnown(check, loaded.known, deps);
}

/** True when LiteLLM names another team for the key; the edge's entry for the key may be an hour old. */
function hasLeftTeam(caller: Caller, { subject }: TenantConfig): boolean {
  if (caller.kind !== "key" || caller.teamId === undefined) return false;
  return subject.kind === "team" && subject.id !== caller.teamId;
}

/** The stores are slow: what the isolate remembers counts, whatever its age. */
async function checkRemembered(tenantId: TenantId, check: Check, deps: CheckDeps): Promise<Checked | null> {
  const { config, spend } = deps.memory.tenant(tenantId) ?? { config: null, spend: null };
  if (config === null) return { kind: "slow", tenantId };
  return checkKnown(check, { config, spend }, deps);
}

/** Loads what the next check of the caller will need: its tenant was found too late for this one. */
async function learnLate(found: FoundTenant, check: Check, deps: CheckDeps): Promise<void> {
  if (found.kind !== "tenant") return;
  await refreshLate(await loadTenant({ tenantId: found.tenantId, now: deps.clock() }, deps), check, deps);
}

/** Reads what the next check will need: the tenant was loaded too late for this one. */
async function refreshLate(loaded: LoadedTenant, check: Check, deps: CheckDeps): Promise<void> {
  if (loaded.kind === "known") await refreshIfDue(loaded.known, { ...check, now: deps.clock() }, deps).refresh;
}

function refreshIfDue({ config, spend }: ConfiguredTenant, check: CheckInput, deps: CheckDeps) {
  const { now, colo } = check;
  const { mode, exclusiveSeconds } = planRefresh(config, spend, now, check);
  const isNeeded = spend === null || !isServable(config, spend, now);
  const input = { config, spend, colo, now, exclusiveSeconds, isNeeded };
  return { mode, isNeeded, refresh: mode === "none" ? NOTHING_DUE : startRefresh(input, deps) };
}

const NOTHING_DUE = Promise.resolve({ kind: "held" } as const);

async function checkKnown(check: Check, { config, spend }: ConfiguredTenant, deps: CheckDeps): Promise<Checked | null> {
  check.inference.cancel();
  const { mode, isNeeded, refresh } = refreshIfDue({ config, spend }, check, deps);
  if (mode !== "first" && spend !== null) return answer(config, spend, "cache", check, deps);
  return answerAfter(refresh, { config, spend, isNeeded }, check, deps);
}

/** Waits for the first try of a refresh, or for the deadline. Null when the tenant is gone. */
async function answerAfter(
  refresh: Promise<RefreshOutcome>,
  { config, spend, isNeeded }: ConfiguredTenant & { readonly isNeeded: boolean },
  check: Check,
  deps: CheckDeps,
): Promise<Checked | null> {
  const known = { config, spend };
  // Started early, because there is no time for it once the deadline has passed.
  const note = findOutage(check, deps);
  const outcome = await Promise.race([refresh, check.deadline]);
  if (outcome === "passed") return answerWithoutRead(known, "too slow", check, deps, note);
  switch (outcome.kind) {
    case "read":
      return answer(outcome.config, outcome.spend, "litellm", check, deps);
    case "shared":
      return answer(outcome.config, outcome.spend, "cache", check, deps);
    case "gone":
      return null;
    case "failed":
      return answerWithoutRead(outcome.known, "failed", check, deps, note);
    case "held": {
      const isFailing = () => deps.memory.failedRecently(config.tenantId, check.now);
      if (!isFailing() && !isNeeded && spend !== null) return answer(config, spend, "cache", check, deps);
      // Another check of this isolate reads, and leaves its result in the memory.
      const newer = () => newerThan(spend, config.tenantId, deps);
      await pollMemory(() => isFailing() || newer() !== null, check.deadline, deps);
      const seen = newer();
      if (seen !== null) return answer(seen.config, seen.spend, "cache", check, deps);
      return answerWithoutRead(known, "another check's read failed", check, deps, note);
    }
  }
}

function newerThan(before: SpendRecord | null, tenantId: TenantId, { memory }: CheckDeps) {
  const { config, spend } = memory.tenant(tenantId) ?? { config: null, spend: null };
  if (config === null || spend === null) return null;
  return before === null || asOf(spend) > asOf(before) ? { config, spend } : null;
}

function answer(
  config: TenantConfig,
  spend: SpendRecord,
  source: "cache" | "litellm",
  check: Check,
  deps: CheckDeps,
): Checked | Promise<Checked> {
  const { now } = check;
  if (config.subjectMissingAt !== null) return answerWithoutRead({ config, spend }, "subject missing", check, deps);
  return { kind: "verdict", verdict: verdictOn(config, spend, now, source), keepForMs: keepForMs(config, spend, now) };
}
