// How long an observation of spend stays fresh, and what a check does when it is stale. Decides only; performs no I/O.

import type { Instant } from "./instant.ts";
import { limitAt, nextLimitChange } from "./limit.ts";
import { isOfEndedPeriod, isPastReset } from "./period.ts";
import { asOf, type SpendRecord } from "./spend.ts";
import type { TenantConfig } from "./tenant.ts";
import { stateAt } from "./verdict.ts";

/** `behind`: answer from the cache and read in the background. `first`: read LiteLLM, then answer. */
export type RefreshMode = "none" | "behind" | "first";

export interface RefreshPlan {
  readonly mode: RefreshMode;
  /** How long other isolates of this colo take this read instead of reading, unless nothing that they know serves. */
  readonly exclusiveSeconds: number;
}

/**
 * Below 5 s a read shows nothing new (LiteLLM writes its database every 10 s). Above 60 s a limit raised by hand
 * applies late.
 */
const FRESH_MIN_MS = 5_000;
const FRESH_MAX_MS = 60_000;

/**
 * A check answers with an observation of up to this age and reads in the background; with an older one it reads first.
 */
const SERVABLE_MS = 600_000;

/** A burst of this length at the current spend rate is assumed possible even just after a read. */
const BURST_MS = 5_000;

/** LiteLLM resets up to 10 min late. More frequent reads would only load it. */
const AWAIT_RESET_MS = 15_000;

const EXCLUSIVE_SECONDS = 5;
const DEMANDED_EXCLUSIVE_SECONDS = 1;

/**
 * Half the time in which the spend rate reaches the block threshold, within 5 s and 60 s. In milliseconds: `30_000`.
 */
export function freshForMs(config: TenantConfig, record: SpendRecord, now: Instant): number {
  const remaining = limitAt(config, now).blocksAtNanoUsd - record.spendNanoUsd;
  if (remaining <= 0n) return FRESH_MIN_MS;
  if (record.spendRateNanoUsdPerSecond === 0n) return FRESH_MAX_MS;
  const halfWayMs = (remaining * 500n) / record.spendRateNanoUsdPerSecond;
  return Math.min(Math.max(Number(halfWayMs), FRESH_MIN_MS), FRESH_MAX_MS);
}

/**
 * How long a caller may cache a verdict, in milliseconds: while the spend is fresh, but not past the end of the period
 * or of an override, where the same spend gets another verdict.
 */
export function keepForMs(config: TenantConfig, record: SpendRecord, now: Instant): number {
  // A blocked caller must soon learn that the block has ended.
  const isBlocked = stateAt(config, record.spendNanoUsd, now).state === "blocked";
  const ends = [
    isBlocked ? now + FRESH_MIN_MS : Number.POSITIVE_INFINITY,
    now + freshForMs(config, record, now) - Math.max(0, now - asOf(record)),
    nextLimitChange(config, now) ?? Number.POSITIVE_INFINITY,
    isPastReset(record, now) ? now + AWAIT_RESET_MS : (record.resetsAt ?? Number.POSITIVE_INFINITY),
  ];
  return Math.max(0, Math.min(...ends) - now);
}

/**
 * Whether to read LiteLLM again, and whether the answer waits for it. `demandedMaxAgeMs` comes from the caller's
 * `Cache-Control`. `random` in [0, 1) spreads the checks that wait for the same reset.
 */
export function planRefresh(
  config: TenantConfig,
  record: SpendRecord | null,
  now: Instant,
  caller: { demandedMaxAgeMs: number | null; random: number },
): RefreshPlan {
  if (record === null) return { mode: "first", exclusiveSeconds: EXCLUSIVE_SECONDS };
  const ageMs = Math.max(0, now - asOf(record));
  if (isOfEndedPeriod(config, record)) return { mode: "first", exclusiveSeconds: EXCLUSIVE_SECONDS };
  if (isPastReset(record, now)) return planAfterReset(record, Math.max(0, now - (record.readAt ?? 0)), caller.random);
  if (caller.demandedMaxAgeMs !== null && ageMs > caller.demandedMaxAgeMs) {
    return { mode: "first", exclusiveSeconds: DEMANDED_EXCLUSIVE_SECONDS };
  }
  if (!isServable(config, record, now)) return { mode: "first", exclusiveSeconds: EXCLUSIVE_SECONDS };
  // Counted calls keep the spend young, but only a read shows a call whose event was lost.
  const isReadLately = now - (record.readAt ?? 0) < FRESH_MAX_MS;
  const mode = isReadLately && ageMs < freshForMs(config, record, now) ? "none" : "behind";
  return { mode, exclusiveSeconds: EXCLUSIVE_SECONDS };
}

/**
 * True while a check may answer with the record and let a newer one be read behind the answer. Near the block threshold
 * that is 5 s after a read, so that the isolates of a colo, which share their reads, are no further behind.
 */
export function isServable(config: TenantConfig, record: SpendRecord, now: Instant): boolean {
  const ageMs = Math.max(0, now - asOf(record));
  if (ageMs > SERVABLE_MS || isOfEndedPeriod(config, record)) return false;
  return now - (record.readAt ?? 0) < FRESH_MIN_MS || !isNearBlockThreshold(config, record, now, ageMs);
}

/**
 * The verdict keeps its state until LiteLLM shows the reset. A check waits for the first read after `resetsAt`, and for
 * a read after `SERVABLE_MS` without one, because LiteLLM has reset by then. Other reads run in the background.
 */
function planAfterReset(record: SpendRecord, readAgeMs: number, random: number): RefreshPlan {
  const exclusiveSeconds = AWAIT_RESET_MS / 1_000;
  const isFirstRead = record.resetsAt !== null && (record.readAt ?? 0) < record.resetsAt;
  if (isFirstRead || readAgeMs > SERVABLE_MS) return { mode: "first", exclusiveSeconds };
  const isDue = readAgeMs >= AWAIT_RESET_MS * (1 + random / 2);
  return { mode: isDue ? "behind" : "none", exclusiveSeconds };
}

function isNearBlockThreshold(config: TenantConfig, record: SpendRecord, now: Instant, ageMs: number): boolean {
  const remaining = limitAt(config, now).blocksAtNanoUsd - record.spendNanoUsd;
  const reach = (record.spendRateNanoUsdPerSecond * BigInt(Math.max(ageMs, BURST_MS))) / 1_000n;
  return remaining > 0n && remaining <= reach;
}

/** The sweep reads every tenant within the hour, even an idle one. */
export const UNREAD_MS = 3_600_000;

/**
 * Since when a tenant has waited for a read, if that is an hour or longer; else null. Null also for a tenant that no
 * read can be expected of: LiteLLM does not have its key or team (yet). Postgres has the same rule for all tenants
 * (src/adapters/postgres/alerts/platform-signs.ts).
 */
export function unreadSince(
  tenant: {
    /** The last read of LiteLLM; null before the first. */
    readonly readAt: Instant | null;
    /** Since when LiteLLM has the desired state; null while it does not. */
    readonly syncedSince: Instant | null;
    readonly isMissing: boolean;
  },
  now: Instant,
): Instant | null {
  if (tenant.syncedSince === null || tenant.isMissing) return null;
  const since = tenant.readAt ?? tenant.syncedSince;
  return now - since >= UNREAD_MS ? since : null;
}
