// The verdict: whether a tenant may spend, its state, and the reason. Pure; the moment of the answer is an argument.

import type { Instant } from "./instant.ts";
import { limitAt, remainingOf } from "./limit.ts";
import { type BasisPoints, type NanoUsd, shareOf } from "./money.ts";
import { isOfEndedPeriod, isPastReset, periodStartedAt } from "./period.ts";
import { asOf, type SpendRecord } from "./spend.ts";
import type { Enforcement, FailPolicy, RefusalSettings, TenantConfig, TenantId } from "./tenant.ts";

/** From lenient to strict. Unknown spend says nothing, so that a known state counts before it. */
export const STATES = ["unknown", "ok", "warning", "grace", "blocked"] as const;

export type State = (typeof STATES)[number];

export type Reason =
  | "within_budget"
  | "over_threshold"
  | "over_limit"
  | "over_grace"
  | "zero_limit"
  | "suspended"
  /** Another than Bursar has blocked the key or team in LiteLLM, which refuses every call of it. */
  | "litellm_blocked"
  | "spend_unknown"
  /** LiteLLM says that it has no such key or team. */
  | "subject_missing"
  /** Only of a call through Gate: Bursar allows it, LiteLLM does not. */
  | "litellm_refused";

/**
 * Where the spend came from: `cache` (fresh enough), `litellm` (read for this answer), `last_known` (a read was due and
 * failed), `fail_open` and `fail_closed` (the fail policy decided: no spend is known, LiteLLM has no such key or team,
 * or the policy is closed).
 */
export type VerdictSource = "cache" | "litellm" | "last_known" | "fail_open" | "fail_closed";

export interface Verdict {
  readonly tenantId: TenantId | null;
  readonly allowed: boolean;
  readonly state: State;
  readonly reason: Reason;
  /** True when `enforce` would refuse the call; null unless the tenant is under `observe`. */
  readonly wouldBlock: boolean | null;
  readonly enforcement: Enforcement;
  readonly source: VerdictSource;
  readonly degraded: boolean;
  /** Null when no config could be read. */
  readonly budget: VerdictBudget | null;
  /** Null when no spend is known. */
  readonly spend: VerdictSpend | null;
  /** How the tenant's refusals read; null without settings of its own. */
  readonly refusal: RefusalSettings | null;
}

export interface VerdictBudget {
  readonly maxBudgetNanoUsd: NanoUsd;
  readonly overrideNanoUsd: NanoUsd;
  readonly limitNanoUsd: NanoUsd;
  readonly blocksAtNanoUsd: NanoUsd;
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
}

export interface VerdictSpend {
  readonly spendNanoUsd: NanoUsd;
  /** Share of the limit, rounded down (`8_250n` is 82.5 %); null when the limit is zero. */
  readonly used: BasisPoints | null;
  /** The limit minus the spend, never negative. Not the distance to the block threshold. */
  readonly remainingNanoUsd: NanoUsd;
  readonly asOf: Instant;
  readonly ageSeconds: number;
}

/** What a tenant's config and spend can lead to, each with its state. */
const STATE_OF = {
  within_budget: "ok",
  over_threshold: "warning",
  over_limit: "grace",
  over_grace: "blocked",
  zero_limit: "blocked",
  suspended: "blocked",
  litellm_blocked: "blocked",
  spend_unknown: "unknown",
  subject_missing: "unknown",
} as const satisfies Partial<Record<Reason, State>>;

/** Why a tenant is in its state. Without `litellm_refused`, which is true of a single call. */
export type StateReason = keyof typeof STATE_OF;

export const STATE_REASONS = Object.keys(STATE_OF) as [StateReason, ...StateReason[]];

export const stateOf = (reason: StateReason): State => STATE_OF[reason];

/**
 * State and reason at `now`. Comparisons are exact and inclusive: a spend equal to a threshold has reached it. Postgres
 * has the same rule for lists (migrations/0010_admin_api.sql).
 */
export function stateAt(
  config: TenantConfig,
  spendNanoUsd: NanoUsd | null,
  now: Instant,
): { state: State; reason: StateReason } {
  const reason = reasonAt(config, spendNanoUsd, now);
  return { state: stateOf(reason), reason };
}

function reasonAt(config: TenantConfig, spendNanoUsd: NanoUsd | null, now: Instant): StateReason {
  const limit = limitAt(config, now);
  if (config.suspendedAt !== null) return "suspended";
  if (config.litellmBlockedAt !== null) return "litellm_blocked";
  if (limit.limitNanoUsd === 0n) return "zero_limit";
  if (spendNanoUsd !== null && spendNanoUsd >= limit.blocksAtNanoUsd) return "over_grace";
  if (config.subjectMissingAt !== null) return "subject_missing";
  if (spendNanoUsd === null) return "spend_unknown";
  if (spendNanoUsd >= limit.limitNanoUsd) return "over_limit";
  if (spendNanoUsd >= limit.alertsAtNanoUsd) return "over_threshold";
  return "within_budget";
}

/**
 * The verdict on spend that is fresh enough: from the cache, or read for this answer. Not for a subject that LiteLLM
 * does not have: there the fail policy decides.
 */
export function verdictOn(
  config: TenantConfig,
  record: SpendRecord,
  now: Instant,
  source: "cache" | "litellm",
): Verdict {
  return assemble({ config, record, now, source, ...stateAt(config, record.spendNanoUsd, now) });
}

/**
 * The verdict when a read was due and failed, or found no subject. Known spend of the current period counts, whatever
 * its age: a blocked tenant stays blocked until the period ends. An allowed tenant stays allowed under an open policy,
 * and is refused under a closed one.
 */
export function verdictWithoutRead(
  config: TenantConfig,
  record: SpendRecord | null,
  now: Instant,
  policy: FailPolicy,
): Verdict {
  const isOfThisPeriod = record !== null && !isPastReset(record, now) && !isOfEndedPeriod(config, record);
  const known = stateAt(config, isOfThisPeriod ? record.spendNanoUsd : null, now);
  if (known.state === "blocked" || (known.state !== "unknown" && policy === "open")) {
    return assemble({ config, record, now, source: "last_known", ...known });
  }
  const source = policy === "open" ? "fail_open" : "fail_closed";
  const reason = known.state === "unknown" ? known.reason : "spend_unknown";
  return assemble({ config, record, now, source, state: "unknown", reason });
}

/**
 * The verdict when LiteLLM refuses a call that Bursar allows: for a reservation of calls in flight, or for a budget
 * that Bursar does not keep. State and amounts stay as Bursar knows them, because none of them is the reason.
 */
export function verdictRefusedByLiteLlm(verdict: Verdict): Verdict {
  return { ...verdict, allowed: false, reason: "litellm_refused" };
}

/** The verdict when not even the config is known: the fail policy decides. */
export function verdictOnNothing(tenantId: TenantId | null, policy: FailPolicy): Verdict {
  return {
    tenantId,
    allowed: policy === "open",
    state: "unknown",
    reason: "spend_unknown",
    wouldBlock: null,
    enforcement: "enforce",
    source: policy === "open" ? "fail_open" : "fail_closed",
    degraded: true,
    budget: null,
    spend: null,
    refusal: null,
  };
}

function assemble(input: {
  config: TenantConfig;
  record: SpendRecord | null;
  now: Instant;
  source: VerdictSource;
  state: State;
  reason: Reason;
}): Verdict {
  const { config, record, now, source, state, reason } = input;
  const limit = limitAt(config, now);
  const isRefused = state === "blocked" || source === "fail_closed";
  const observes = config.enforcement === "observe";
  // A suspension is an administrator's explicit act, so it refuses calls under `observe` too. A block in LiteLLM is not
  // Bursar's: there LiteLLM refuses by itself.
  const isSpared = observes && reason !== "suspended";
  return {
    tenantId: config.tenantId,
    allowed: isSpared || !isRefused,
    state,
    reason,
    wouldBlock: observes ? isRefused : null,
    enforcement: config.enforcement,
    source,
    degraded: source !== "cache" && source !== "litellm",
    budget: {
      maxBudgetNanoUsd: config.maxBudgetNanoUsd,
      overrideNanoUsd: limit.overrideNanoUsd,
      limitNanoUsd: limit.limitNanoUsd,
      blocksAtNanoUsd: limit.blocksAtNanoUsd,
      alertThreshold: config.alertThreshold,
      graceThreshold: config.graceThreshold,
      periodStartedAt: record?.periodStartedAt ?? periodStartedAt(config),
      resetsAt: record === null ? config.budgetResetAt : record.resetsAt,
    },
    spend: record === null ? null : spendPart(record, limit.limitNanoUsd, now),
    refusal: config.refusal,
  };
}

function spendPart(record: SpendRecord, limitNanoUsd: NanoUsd, now: Instant): VerdictSpend {
  const { spendNanoUsd } = record;
  return {
    spendNanoUsd,
    used: shareOf(spendNanoUsd, limitNanoUsd),
    remainingNanoUsd: remainingOf(limitNanoUsd, spendNanoUsd),
    asOf: asOf(record),
    ageSeconds: Math.max(0, Math.floor((now - asOf(record)) / 1_000)),
  };
}

/**
 * Which of two verdicts on one call counts: a key's own tenant may be inside a team's tenant, and both must allow it. A
 * refusal counts before any allowance, then the higher state; of equal ones the first.
 */
export function strictest(a: Verdict, b: Verdict): Verdict {
  if (a.allowed !== b.allowed) return a.allowed ? b : a;
  return STATES.indexOf(b.state) > STATES.indexOf(a.state) ? b : a;
}
