// How long a figure may be trusted, and what to do when it is too old. Decides only; reads nothing.

import { limitAt, nextLimitChange } from "./limit.ts";
import { asOf, type SpendRecord } from "./spend.ts";
import type { Instant, TenantConfig } from "./tenant.ts";
import { isOfAnEndedPeriod, isPastReset, stateAt } from "./verdict.ts";

/** `behind`: answer from what is known, read meanwhile. `first`: read, then answer. */
export type RefreshMode = "none" | "behind" | "first";

export interface RefreshPlan {
  readonly mode: RefreshMode;
  /** How long no other reader of this tenant in this colo may start one. */
  readonly exclusiveSeconds: number;
}

/** Below 5 s a read would see nothing new (LiteLLM writes its database every 10 s); above 60 s a raise by hand is late. */
const FRESH_MIN_MS = 5_000;
const FRESH_MAX_MS = 60_000;

/** A figure this old may still be answered with while it is read again; an older one is read first. */
const SERVABLE_MS = 600_000;

/** A burst as long as this is assumed possible even from a figure read just now. */
const BURST_MS = 5_000;

/** LiteLLM resets up to 10 min late. Until it has, asking more often than this helps nobody. */
const AWAIT_RESET_MS = 15_000;

const EXCLUSIVE_SECONDS = 5;
const DEMANDED_EXCLUSIVE_SECONDS = 1;

/** Half the time in which the burn rate could reach the blocking line, within 5 s..60 s. In milliseconds. */
export function freshForMs(config: TenantConfig, record: SpendRecord, now: Instant): number {
  const remaining = limitAt(config, now).blocksAtNanoUsd - record.spendNanoUsd;
  if (remaining <= 0n) return FRESH_MIN_MS;
  if (record.spendRateNanoUsdPerSecond === 0n) return FRESH_MAX_MS;
  const halfWayMs = (remaining * 500n) / record.spendRateNanoUsdPerSecond;
  return Math.min(Math.max(Number(halfWayMs), FRESH_MIN_MS), FRESH_MAX_MS);
}

/**
 * How long a caller may keep a verdict: while the figure is fresh, but not past the end of the period or of an
 * override, at which the same figure means something else. In milliseconds.
 */
export function keepForMs(config: TenantConfig, record: SpendRecord, now: Instant): number {
  // Somebody who is refused wants to hear soon that the refusal is over.
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
 * What to do about the age of what is known. `demandedMaxAgeMs` is the caller's own wish (`Cache-Control`), `random`
 * in [0, 1) spreads the readers that all wait for one reset.
 */
export function planRefresh(
  config: TenantConfig,
  record: SpendRecord | null,
  now: Instant,
  caller: { demandedMaxAgeMs: number | null; random: number },
): RefreshPlan {
  if (record === null) return { mode: "first", exclusiveSeconds: EXCLUSIVE_SECONDS };
  const ageMs = Math.max(0, now - asOf(record));
  if (isOfAnEndedPeriod(config, record)) return { mode: "first", exclusiveSeconds: EXCLUSIVE_SECONDS };
  if (isPastReset(record, now)) return planAfterReset(record, ageMs, caller.random);
  if (caller.demandedMaxAgeMs !== null && ageMs > caller.demandedMaxAgeMs) {
    return { mode: "first", exclusiveSeconds: DEMANDED_EXCLUSIVE_SECONDS };
  }
  if (ageMs > SERVABLE_MS || isNearTheLine(config, record, now, ageMs)) {
    return { mode: "first", exclusiveSeconds: EXCLUSIVE_SECONDS };
  }
  const mode = ageMs < freshForMs(config, record, now) ? "none" : "behind";
  return { mode, exclusiveSeconds: EXCLUSIVE_SECONDS };
}

/** True while a figure may still be answered with, even if somebody else is reading a newer one. */
export function isServable(config: TenantConfig, record: SpendRecord, now: Instant): boolean {
  return now - asOf(record) <= SERVABLE_MS && !isOfAnEndedPeriod(config, record);
}

/**
 * The state is kept until LiteLLM shows its reset. Worth waiting for are the first read after the instant, and any
 * read when nobody has looked for so long that the reset has surely come.
 */
function planAfterReset(record: SpendRecord, ageMs: number, random: number): RefreshPlan {
  const exclusiveSeconds = AWAIT_RESET_MS / 1_000;
  const isFirstEvaluation = record.resetsAt !== null && asOf(record) < record.resetsAt;
  if (isFirstEvaluation || ageMs > SERVABLE_MS) return { mode: "first", exclusiveSeconds };
  const isDue = ageMs >= AWAIT_RESET_MS * (1 + random / 2);
  return { mode: isDue ? "behind" : "none", exclusiveSeconds };
}

function isNearTheLine(config: TenantConfig, record: SpendRecord, now: Instant, ageMs: number): boolean {
  const remaining = limitAt(config, now).blocksAtNanoUsd - record.spendNanoUsd;
  const reach = (record.spendRateNanoUsdPerSecond * BigInt(Math.max(ageMs, BURST_MS))) / 1_000n;
  return remaining > 0n && remaining <= reach;
}
