// The budget check behind Ask, Guard and Gate: whether a tenant may spend. Answers within its deadline whatever fails.
// Never presents a failure as a refusal, nor a refusal as a failure.

import { isServable, keepForMs, planRefresh } from "../../budget/freshness.ts";
import type { Instant } from "../../budget/instant.ts";
import { asOf, type SpendRecord } from "../../budget/spend.ts";
import { strictest } from "../../budget/strictest.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { type Verdict, verdictOn } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";
import type { ConfiguredTenant } from "../edge/cached-tenant.ts";
import { findOutage } from "../litellm/outage.ts";
import { answerUnfound, answerWithoutRead, inferLater } from "./answer-degraded.ts";
import { type Deadline, pollMemory } from "./deadline.ts";
import { type FoundTenant, findByKey, findByTeam, type KeySearch, searchAnew } from "./find-tenant.ts";
import { loadTenant } from "./load-tenant.ts";
import { type RefreshOutcome, startRefresh } from "./refresh-tenant.ts";

export type CheckDeps = Pick<
  Ports,
  | "memory"
  | "snapshots"
  | "tenants"
  | "litellm"
  | "claims"
  | "spendQueue"
  | "timers"
  | "clock"
  | "background"
  | "log"
  | "policy"
>;

export interface CheckInput {
  readonly caller: Caller;
  /** From the caller's `Cache-Control`: 0 for `no-cache`, null when it names no age. */
  readonly demandedMaxAgeMs: number | null;
  readonly colo: string;
  readonly now: Instant;
  /** In [0, 1). */
  readonly random: number;
}

/** An agent sends its key. An orchestrator names the tenant. */
export type Caller = KeyCaller | { readonly kind: "tenant"; readonly tenantId: TenantId };

export interface KeyCaller {
  readonly kind: "key";
  /** Null for a caller that LiteLLM knows by its team alone. */
  readonly keyHash: KeyHash | null;
  /** The caller's network, for the ceiling on look-ups. Null when LiteLLM asks: it has verified the key. */
  readonly network: string | null;
  /** The key's team, or null for no team, when LiteLLM asks. */
  readonly teamId?: string | null;
}

export type CheckOutcome =
  | {
      readonly kind: "verdict";
      readonly verdict: Verdict;
      /** How long the caller may cache the verdict, in milliseconds. */
      readonly keepForMs: number;
    }
  | { readonly kind: "unknown" }
  | { readonly kind: "too_many_unknown" }
  /**
   * The stores are slow, and nothing of the caller is known yet: not an outage, so no tenant's fail policy applies. The
   * verdict is the deployment's, for an answer that must be yes or no.
   */
  | { readonly kind: "undecided"; readonly verdict: Verdict };

/** True when the deployment allows calls by unmanaged keys. */
export function allowsUnmanaged({ policy }: Pick<Ports, "policy">): boolean {
  return policy.unmanagedKeys === "allow";
}

/** What a check of one tenant ends in. */
type Checked = Exclude<CheckOutcome, { kind: "undecided" }> | Unfound;

/** Neither KV nor Postgres has said in time, or at all. `tenantId`: null when not even the tenant is known. */
export interface Unfound {
  readonly kind: "slow" | "unreachable";
  readonly tenantId: TenantId | null;
}

const isUnfound = (checked: Checked): checked is Unfound => checked.kind === "slow" || checked.kind === "unreachable";

/** A key is taken for its team's this long before LiteLLM is asked again: it may have moved to another team. */
const TEAM_CONFIRM_SECONDS = 300;

export async function checkBudget(input: CheckInput, deps: CheckDeps): Promise<CheckOutcome> {
  const deadline = deps.timers.after(deps.policy.checkDeadlineMs);
  const inference = inferLater(input, deps);
  try {
    const checked = await checkCaller(input, deadline.passed, deps);
    return isUnfound(checked) ? await answerUnfound(checked, inference, input, deadline.passed, deps) : checked;
  } finally {
    inference.cancel();
    deadline.cancel();
  }
}

/** Checks the key's tenant and the one of its team, which may be the same. */
async function checkCaller(input: CheckInput, deadline: Deadline, deps: CheckDeps): Promise<Checked> {
  const { caller, now } = input;
  if (caller.kind === "tenant") return (await checkTenant(caller.tenantId, input, deadline, deps)) ?? UNKNOWN;
  const { keyHash, network } = caller;
  const search =
    keyHash === null ? null : { keyHash, network, isTeamKnown: caller.teamId !== undefined, now, deadline };
  const teamId = caller.teamId ?? (keyHash === null ? null : deps.memory.teamOf(keyHash));
  const [ofKey, ofTeam] = await Promise.all([
    search === null ? UNKNOWN : findByKey(search, deps),
    teamId === null ? UNKNOWN : findByTeam({ teamId, now, deadline }, deps),
  ]);
  const isOne = ofKey.kind === "tenant" && ofTeam.kind === "tenant" && ofKey.tenantId === ofTeam.tenantId;
  const [key, team] = await Promise.all([
    isOne || search === null ? UNKNOWN : checkKey(ofKey, search, input, deps),
    checkFound(ofTeam, input, deadline, deps),
  ]);
  return whatCounts(key, team ?? UNKNOWN);
}

const UNKNOWN = { kind: "unknown" } as const;

async function checkKey(found: FoundTenant, search: KeySearch, input: CheckInput, deps: CheckDeps): Promise<Checked> {
  const checked = await checkFound(found, input, search.deadline, deps);
  if (found.kind === "tenant" && checked !== null) confirmTeam(found.tenantId, search, deps);
  if (checked !== null) return checked;
  // The edge's entry for the key led to a deleted tenant, or to another team's: the stores know better.
  const anew = await findByKey({ ...search, isAnew: true }, deps);
  return (await checkFound(anew, input, search.deadline, deps)) ?? UNKNOWN;
}

/** Looks a key that was found through its team up again behind the answer, once in five minutes. */
function confirmTeam(tenantId: TenantId, search: KeySearch, deps: CheckDeps): void {
  const subject = deps.memory.tenant(tenantId)?.config?.subject;
  if (subject?.kind !== "team" || search.isTeamKnown) return;
  if (!deps.memory.throttle(`team of key:${search.keyHash}`, TEAM_CONFIRM_SECONDS, search.now)) return;
  deps.background("team confirmation", searchAnew(search, deps));
}

/** Null when the tenant is gone, or not the caller's. */
function checkFound(
  found: FoundTenant,
  input: CheckInput,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<Checked | null> | Checked {
  if (found.kind === "tenant") return checkTenant(found.tenantId, input, deadline, deps);
  return found.kind === "slow" || found.kind === "unreachable" ? { kind: found.kind, tenantId: null } : found;
}

/** The stricter of two verdicts; else a verdict before anything else, and a doubt before "unknown". */
function whatCounts(ofKey: Checked, ofTeam: Checked): Checked {
  if (ofKey.kind === "verdict" && ofTeam.kind === "verdict") {
    const { verdict } = strictest(ofKey, ofTeam);
    return { kind: "verdict", verdict, keepForMs: Math.min(ofKey.keepForMs, ofTeam.keepForMs) };
  }
  return CERTAINTY.indexOf(ofTeam.kind) < CERTAINTY.indexOf(ofKey.kind) ? ofTeam : ofKey;
}

const CERTAINTY: readonly Checked["kind"][] = ["verdict", "slow", "unreachable", "too_many_unknown", "unknown"];

/** Null when the tenant is gone, or LiteLLM names another team for the caller. */
async function checkTenant(
  tenantId: TenantId,
  input: CheckInput,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<Checked | null> {
  const loaded = await Promise.race([loadTenant({ tenantId, now: input.now }, deps), deadline]);
  if (loaded === "passed") return checkRemembered(tenantId, input, deadline, deps);
  if (loaded.kind === "gone") return null;
  if (loaded.kind === "unreachable") return { kind: "unreachable", tenantId };
  if (hasLeftTeam(input.caller, loaded.known.config)) return null;
  return checkKnown(input, loaded.known, deadline, deps);
}

/** True when LiteLLM names another team for the key; the edge's entry for the key may be an hour old. */
function hasLeftTeam(caller: Caller, { subject }: TenantConfig): boolean {
  if (caller.kind !== "key" || caller.teamId === undefined) return false;
  return subject.kind === "team" && subject.id !== caller.teamId;
}

/** The stores are slow: what the isolate remembers counts, whatever its age. */
async function checkRemembered(
  tenantId: TenantId,
  input: CheckInput,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<Checked | null> {
  const { config, spend } = deps.memory.tenant(tenantId) ?? { config: null, spend: null };
  if (config === null) return { kind: "slow", tenantId };
  return checkKnown(input, { config, spend }, deadline, deps);
}

async function checkKnown(
  input: CheckInput,
  { config, spend }: ConfiguredTenant,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<Checked | null> {
  const { now, colo } = input;
  const { mode, exclusiveSeconds } = planRefresh(config, spend, now, input);
  if (mode === "none" && spend !== null) return answer(config, spend, "cache", input);
  const isNeeded = spend === null || !isServable(config, spend, now);
  const refresh = startRefresh({ config, spend, colo, now, exclusiveSeconds, isNeeded }, deps);
  if (mode === "behind" && spend !== null) return answer(config, spend, "cache", input);
  return answerAfter(refresh, { config, spend, isNeeded }, input, deadline, deps);
}

/** Waits for the first try of a refresh, or for the deadline. Null when the tenant is gone. */
async function answerAfter(
  refresh: Promise<RefreshOutcome>,
  { config, spend, isNeeded }: ConfiguredTenant & { readonly isNeeded: boolean },
  input: CheckInput,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<Checked | null> {
  const known = { config, spend };
  // Started early, because there is no time for it once the deadline has passed.
  const note = findOutage(input, deps);
  const outcome = await Promise.race([refresh, deadline]);
  if (outcome === "passed") return answerWithoutRead(known, "too slow", input, deps, note);
  switch (outcome.kind) {
    case "read":
      return answer(outcome.config, outcome.spend, "litellm", input);
    case "shared":
      return answer(outcome.config, outcome.spend, "cache", input);
    case "gone":
      return null;
    case "failed":
      return answerWithoutRead(outcome.known, "failed", input, deps, note);
    case "held": {
      const isFailing = () => deps.memory.failedRecently(config.tenantId, input.now);
      if (!isFailing() && !isNeeded && spend !== null) return answer(config, spend, "cache", input);
      // Another check of this isolate reads, and leaves its result in the memory.
      const newer = () => newerThan(spend, config.tenantId, deps);
      await pollMemory(() => isFailing() || newer() !== null, deadline, deps);
      const seen = newer();
      if (seen !== null) return answer(seen.config, seen.spend, "cache", input);
      return answerWithoutRead(known, "another check's read failed", input, deps, note);
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
  { now }: CheckInput,
): Extract<CheckOutcome, { kind: "verdict" }> {
  return { kind: "verdict", verdict: verdictOn(config, spend, now, source), keepForMs: keepForMs(config, spend, now) };
}
