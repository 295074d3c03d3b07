// Which budget period an observation of spend belongs to, and when a new period begins. LiteLLM decides when a period
// ends; config and spend record say only which period each of them has seen. Reads no clock.

import type { Instant } from "./instant.ts";
import type { TenantConfig } from "./tenant.ts";

export interface Period {
  readonly startedAt: Instant;
  /** Null: the budget never resets, or LiteLLM has not said when. */
  readonly resetsAt: Instant | null;
}

/** The period that a spend record belongs to. */
interface RecordedPeriod {
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
}

/** When LiteLLM answered a read, and with which end of the period. */
interface ObservedEnd {
  readonly begunAt: Instant;
  readonly resetsAt: Instant | null;
}

/** A read takes seconds. A read begun longer than this before a period began means that our clock lags LiteLLM's. */
const MAX_READ_MS = 60_000;

/** After a reset, LiteLLM's pods go on for a minute with the spend that they had in memory before it. */
const AFTER_RESET_MS = 90_000;

/** When the current period began, as far as the config knows. */
export function periodStartedAt(config: Pick<TenantConfig, "litellmKeyLastReset" | "subjectCreatedAt">): Instant {
  return config.litellmKeyLastReset ?? config.subjectCreatedAt;
}

/** The period that the config knows; LiteLLM may already be in a later one. */
export function periodOf(config: TenantConfig): Period {
  return { startedAt: periodStartedAt(config), resetsAt: config.budgetResetAt };
}

/** The later one of the periods that the config and the spend record know. */
export function latestPeriod(config: TenantConfig, spend: RecordedPeriod | null): Period {
  const startedAt = Math.max(periodStartedAt(config), spend?.periodStartedAt ?? 0);
  return { startedAt, resetsAt: spend?.periodStartedAt === startedAt ? spend.resetsAt : config.budgetResetAt };
}

/**
 * True when a read shows that LiteLLM has begun a new period: the old end has passed and LiteLLM shows a later one. An
 * end that was overdue when an administrator began the period ends nothing: periods never go backwards.
 */
export function showsNewPeriod(known: Period, read: ObservedEnd): boolean {
  if (known.resetsAt === null || read.resetsAt === null || known.resetsAt <= known.startedAt) return false;
  return read.begunAt >= known.resetsAt && read.resetsAt > known.resetsAt;
}

/** True when the read was in progress while the period began, so that it shows the spend of the period before. */
export function beganDuring(period: Period, read: ObservedEnd): boolean {
  const headStartMs = period.startedAt - read.begunAt;
  return read.resetsAt === period.startedAt || (headStartMs > 0 && headStartMs < MAX_READ_MS);
}

/** True when the read belongs to a period before the record's. */
export function showsEarlierPeriod(known: RecordedPeriod, read: ObservedEnd): boolean {
  return read.begunAt < known.periodStartedAt || (read.resetsAt !== null && read.resetsAt <= known.periodStartedAt);
}

/**
 * True when the amount of a webhook sent at `sentAt` belongs to the period, and the period has not ended: LiteLLM had
 * entered the period long enough before. `seenAt` is when a read first showed the period; null in a tenant's first one,
 * which no earlier spend can reach.
 */
export function isSentIn(period: Period, sentAt: Instant, seenAt: Instant | null, now: Instant): boolean {
  const { startedAt, resetsAt } = period;
  const from = seenAt === null ? startedAt : Math.max(startedAt, seenAt) + AFTER_RESET_MS;
  return sentAt >= from && (resetsAt === null || now < resetsAt);
}

/** True once the record's period has ended by the clock, whether or not LiteLLM has reset the spend yet. */
export function isPastReset(record: Pick<RecordedPeriod, "resetsAt">, now: Instant): boolean {
  return record.resetsAt !== null && now >= record.resetsAt;
}

/** True when the config knows a later period than the record's: the record's spend does not count in that period. */
export function isOfEndedPeriod(config: TenantConfig, record: Pick<RecordedPeriod, "periodStartedAt">): boolean {
  return record.periodStartedAt < periodStartedAt(config);
}
