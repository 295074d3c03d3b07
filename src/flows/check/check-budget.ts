// The budget check behind Ask, Guard and Gate: whether a tenant may spend. Answers within its deadline whatever fails.
// Never presents a failure as a refusal, nor a refusal as a failure.

import { failPolicyAt } from "../../budget/failure.ts";
import { isServable, keepForMs, planRefresh, type RefreshPlan } from "../../budget/freshness.ts";
import type { Instant } from "../../budget/instant.ts";
import { asOf, type SpendRecord } from "../../budget/spend.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { type Verdict, verdictOn, verdictOnNothing, verdictWithoutRead } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";
import type { ConfiguredTenant } from "../edge/cached-tenant.ts";
import { findOutage } from "../litellm/outage.ts";
import { valueOrNull } from "../waiting.ts";
import { inferVerdictFromLiteLlm } from "./degraded-check.ts";
import { findTenant, findTenantUncached } from "./find-tenant.ts";
import { loadTenant } from "./load-tenant.ts";
import { type RefreshOutcome, startRefresh } from "./refresh-tenant.ts";

export type CheckDeps = Pick<
  Ports,
  | "memory"
  | "snapshots"
  | "outageNotes"
  | "tenants"
  | "litellm"
  | "claims"
  | "spendQueue"
  | "unknownCallers"
  | "timers"
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

/** An agent sends its key, and its address is counted while the key is unknown. An orchestrator names the tenant. */
export type Caller = KeyCaller | { readonly kind: "tenant"; readonly tenantId: TenantId };

export interface KeyCaller {
  readonly kind: "key";
  readonly keyHash: KeyHash;
  /** Null when LiteLLM asks: its callers are not counted. */
  readonly address: string | null;
  /** The key's team, or null for no team, when LiteLLM asks. */
  readonly teamId?: string | null;
}

export type CheckOutcome =
  /** `keepForMs`: how long the caller may cache the verdict, in milliseconds. */
  | { readonly kind: "verdict"; readonly verdict: Verdict; readonly keepForMs: number }
  | { readonly kind: "unknown" }
  | { readonly kind: "too_many_unknown" };

/** True when the deployment allows calls by unmanaged keys. */
export function allowsUnmanaged({ policy }: Pick<Ports, "policy">): boolean {
  return policy.unmanagedKeys === "allow";
}

/** How often a check polls the memory while another check of its isolate reads. */
const POLL_MS = 5;

/** A check may need the outage note after its deadline: 100 ms plus this stay within the promised 110 ms. */
const OUTAGE_TIMEOUT_MS = 8;

type Deadline = Promise<"passed">;

export async function checkBudget(input: CheckInput, deps: CheckDeps): Promise<CheckOutcome> {
  const deadline = deps.timers.after(deps.policy.checkDeadlineMs);
  try {
    return await check(input, deadline.passed, deps);
  } finally {
    deadline.cancel();
  }
}

async function check(input: CheckInput, deadline: Deadline, deps: CheckDeps): Promise<CheckOutcome> {
  // Each store has its own timeout, but several slow stores add up.
  const found = await Promise.race([findCaller(input, deps), deadline]);
  if (found === "passed") return answerFromMemory(null, input, deps);
  if (found.kind === "unreachable") return checkUnfound(input, null, deadline, deps);
  if (found.kind !== "tenant") return found;

  const { tenantId, known: fromDatabase } = found;
  const loaded = await Promise.race([loadTenant({ tenantId, fromDatabase, now: input.now }, deps), deadline]);
  if (loaded === "passed") return answerFromMemory(tenantId, input, deps);
  if (loaded.kind === "gone") return checkAnew(input, deadline, deps);
  if (loaded.kind === "unreachable") return checkUnfound(input, tenantId, deadline, deps);
  if (hasLeftTeam(input.caller, loaded.known.config)) return checkAnew(input, deadline, deps);
  return checkCached(input, loaded.known, deadline, deps);
}

/** True when LiteLLM names another team for the key; the edge's entry for the key may be an hour old. */
function hasLeftTeam(caller: Caller, { subject }: TenantConfig): boolean {
  if (caller.kind !== "key" || caller.teamId === undefined) return false;
  return subject.kind === "team" && subject.id !== caller.teamId;
}

/** The edge's entry for the key leads to a deleted tenant or to another team's. Postgres resolves the key again. */
async function checkAnew(input: CheckInput, deadline: Deadline, deps: CheckDeps): Promise<CheckOutcome> {
  const { caller, now } = input;
  if (caller.kind === "tenant") return { kind: "unknown" };
  const found = await Promise.race([
    findTenantUncached({ keyHash: caller.keyHash, callerAddress: caller.address, teamId: caller.teamId, now }, deps),
    deadline,
  ]);
  if (found === "passed" || found.kind === "unreachable") return checkUnfound(input, null, deadline, deps);
  if (found.kind !== "tenant") return found;
  deps.memory.rememberTenant(found.tenantId, found.known, now);
  return checkCached(input, found.known, deadline, deps);
}

async function findCaller({ caller, now }: CheckInput, deps: CheckDeps) {
  if (caller.kind === "tenant") return { kind: "tenant", tenantId: caller.tenantId, known: null } as const;
  const { keyHash, address: callerAddress, teamId } = caller;
  return findTenant({ keyHash, callerAddress, teamId, now }, deps);
}

async function checkCached(
  input: CheckInput,
  known: ConfiguredTenant,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<CheckOutcome> {
  const { config, spend } = known;
  const plan = planRefresh(config, spend, input.now, input);
  if (plan.mode === "none" && spend !== null) return answer(config, spend, "cache", input, deps);

  const refresh = startRefresh(
    { config, spend, colo: input.colo, now: input.now, exclusiveSeconds: plan.exclusiveSeconds },
    deps,
  );
  if (plan.mode === "behind" && spend !== null) return answer(config, spend, "cache", input, deps);
  return answerAfter(refresh, { config, spend, plan }, input, deadline, deps);
}

/** Waits for the first try of a refresh, or for the deadline. */
async function answerAfter(
  refresh: Promise<RefreshOutcome>,
  known: { config: TenantConfig; spend: SpendRecord | null; plan: RefreshPlan },
  input: CheckInput,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<CheckOutcome> {
  const { config, spend } = known;
  // Started early, because there is no time for it once the deadline has passed.
  const note = findOutage(input, deps);
  const outcome = await Promise.race([refresh, deadline]);
  if (outcome === "passed") return answerWithoutRead({ config, spend }, "too slow", input, deps, note);
  switch (outcome.kind) {
    case "read":
      return answer(outcome.config, outcome.spend, "litellm", input, deps);
    case "gone":
      return { kind: "unknown" };
    case "failed":
      return answerWithoutRead(outcome.known, "failed", input, deps, note);
    case "held": {
      if (deps.memory.failedRecently(config.tenantId, input.now)) {
        return answerWithoutRead(known, "another check's read failed", input, deps, note);
      }
      if (spend !== null && isServable(config, spend, input.now)) return answer(config, spend, "cache", input, deps);
      const seen = await awaitOther(config.tenantId, spend, input.now, deadline, deps);
      if (seen !== null) return answer(seen.config, seen.spend, "cache", input, deps);
      return answerWithoutRead({ config, spend }, "another check's read failed", input, deps, note);
    }
  }
}

/**
 * Waits for the read of another check in this isolate, which leaves its result in the memory. Null when that read
 * fails.
 */
async function awaitOther(
  tenantId: TenantId,
  before: SpendRecord | null,
  now: Instant,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<{ config: TenantConfig; spend: SpendRecord } | null> {
  let isOver = false;
  void deadline.then(() => {
    isOver = true;
  });
  while (!isOver) {
    const { config, spend } = deps.memory.tenant(tenantId) ?? { config: null, spend: null };
    if (config !== null && spend !== null && (before === null || asOf(spend) > asOf(before))) return { config, spend };
    if (deps.memory.failedRecently(tenantId, now)) return null;
    await deps.timers.after(POLL_MS).passed;
  }
  return null;
}

function answer(
  config: TenantConfig,
  spend: SpendRecord,
  source: "cache" | "litellm",
  input: CheckInput,
  deps: CheckDeps,
): CheckOutcome | Promise<CheckOutcome> {
  const { now } = input;
  if (config.subjectMissingAt !== null) return answerWithoutRead({ config, spend }, "subject missing", input, deps);
  return { kind: "verdict", verdict: verdictOn(config, spend, now, source), keepForMs: keepForMs(config, spend, now) };
}

/**
 * A read was due and failed, or LiteLLM has no such subject. Fails open or closed by the tenant's policy, and logs it.
 */
async function answerWithoutRead(
  { config, spend }: ConfiguredTenant,
  why: string,
  input: CheckInput,
  deps: CheckDeps,
  note = findOutage(input, deps),
): Promise<CheckOutcome> {
  const policy = await currentPolicy(config, note, input, deps);
  return degraded(verdictWithoutRead(config, spend, input.now, policy), why, deps);
}

/** The stores have used up the deadline: only the isolate's memory is left. */
async function answerFromMemory(tenantId: TenantId | null, input: CheckInput, deps: CheckDeps): Promise<CheckOutcome> {
  const { config, spend } = (tenantId && deps.memory.tenant(tenantId)) || { config: null, spend: null };
  if (config !== null) return answerWithoutRead({ config, spend }, "stores too slow", input, deps);
  return degraded(
    verdictOnNothing(tenantId, await currentPolicy(null, findOutage(input, deps), input, deps)),
    "stores too slow",
    deps,
  );
}

/** Neither KV nor Postgres answered. For a key, LiteLLM alone can still give a verdict. */
async function checkUnfound(
  input: CheckInput,
  tenantId: TenantId | null,
  deadline: Deadline,
  deps: CheckDeps,
): Promise<CheckOutcome> {
  if (input.caller.kind === "key") {
    const { keyHash, teamId } = input.caller;
    const alone = inferVerdictFromLiteLlm({ keyHash, teamId, now: input.now }, deps);
    const outcome = await Promise.race([alone, deadline]);
    if (outcome === "unknown_key") return { kind: "unknown" };
    if (outcome !== "passed" && outcome !== "no_answer") return degraded(outcome, "config unreachable", deps);
  }
  return degraded(
    verdictOnNothing(tenantId, await currentPolicy(null, findOutage(input, deps), input, deps)),
    "nothing known",
    deps,
  );
}

async function currentPolicy(
  config: TenantConfig | null,
  note: Promise<Instant | null>,
  { now }: CheckInput,
  deps: CheckDeps,
) {
  const { defaultFailPolicy, failOpenMinutes } = deps.policy;
  const outageStartedAt = await valueOrNull("outage read", note, OUTAGE_TIMEOUT_MS, deps);
  return failPolicyAt({ config, defaultPolicy: defaultFailPolicy, failOpenMinutes, outageStartedAt, now });
}

function degraded(verdict: Verdict, why: string, deps: CheckDeps): CheckOutcome {
  const { tenantId, allowed, state, source } = verdict;
  deps.log.warn("degraded answer", { tenant_id: tenantId, allowed, state, source, why });
  return { kind: "verdict", verdict, keepForMs: 0 };
}
