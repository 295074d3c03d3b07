// A tenant's spend record, and how reads of LiteLLM and other copies of the record change it. Reads no clock.
// Postgres counts the spend (counting.ts). Every other place holds a copy, and joins copies in any order.

import type { Instant } from "./instant.ts";
import type { NanoUsd } from "./money.ts";
import { beganDuring, type Period, showsEarlierPeriod, showsNewPeriod } from "./period.ts";

/** Where an amount of spend came from. Only `litellm` (a read of its API) is confirmed; the others are lower bounds. */
export type ObservationSource = "litellm" | "webhook" | "events" | "gate";

export interface SpendRecord {
  readonly spendNanoUsd: NanoUsd;
  /** When this amount of spend was first observed. */
  readonly observedAt: Instant;
  /** When the newest merged read of LiteLLM began; null before the first. */
  readonly readAt: Instant | null;
  readonly source: ObservationSource;
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
  readonly spendRateNanoUsdPerSecond: NanoUsd;
  /** Rises whenever a read replaces the spend in Postgres, which may lower it; 0 before Postgres has counted any. */
  readonly epoch: number;
}

/** Spend from LiteLLM's API, by Bursar's clock: LiteLLM evaluated it between `begunAt` and `answeredAt`. */
export interface SpendRead {
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly answeredAt: Instant;
  readonly resetsAt: Instant | null;
}

/** LiteLLM writes the spend of a finished call to its database within this time. */
export const DATABASE_LAG_MS = 25_000;

/** A read that began this long after Gate's last call shows the call, if LiteLLM has charged it at all. */
const CHARGED_MS = 40_000;

/** A fall of the spend within a period lifts a block only when reads this far apart have shown it. */
export const LIFT_MS = 60_000;

/**
 * How fast an old spend rate fades, and the shortest span that a burst is measured over (LiteLLM writes every 10 s).
 */
export const SPEND_RATE_HALF_LIFE_MS = 60_000;
export const SPEND_RATE_SPAN_MS = 10_000;

/**
 * The instant of the most recent observation that agreed with the record. A call through Gate is none: the calls of
 * other isolates are as unseen as before.
 */
export function asOf({ source, observedAt, readAt }: SpendRecord): Instant {
  return source === "gate" ? (readAt ?? observedAt) : Math.max(observedAt, readAt ?? 0);
}

/** True until a read that began late enough to show the record's spend has been merged. */
export function isUnconfirmed(record: SpendRecord): boolean {
  return record.source !== "litellm" && (record.readAt ?? 0) < confirmableAt(record);
}

/** The instant from which a read shows everything that the record counts. */
export function confirmableAt(record: SpendRecord): Instant {
  return record.observedAt + DATABASE_LAG_MS;
}

/**
 * The start of the period that a read belongs to; null when the read shows an earlier period than the record's.
 * `period` is the config's.
 */
export function periodStartOf(known: SpendRecord, read: SpendRead, period: Period): Instant | null {
  if (known.periodStartedAt < period.startedAt) return beganDuring(period, read) ? null : firstPeriodOf(read, period);
  // The config knows the end of its own period best, because a change of the duration moves that end.
  const configsEnd = known.periodStartedAt === period.startedAt ? period.resetsAt : null;
  const current = { startedAt: known.periodStartedAt, resetsAt: configsEnd ?? known.resetsAt };
  if (showsNewPeriod(current, read)) return current.resetsAt;
  return !isNewest(known, read) && showsEarlierPeriod(known, read) ? null : known.periodStartedAt;
}

/** The start of the period that a read belongs to when no spend of that period is known. */
export function firstPeriodOf(read: SpendRead, period: Period): Instant {
  return period.resetsAt !== null && showsNewPeriod(period, read) ? period.resetsAt : period.startedAt;
}

/** The record of a single read, the first one of its period. */
export function recordFrom(read: SpendRead, periodStartedAt: Instant): SpendRecord {
  return {
    spendNanoUsd: read.spendNanoUsd,
    observedAt: read.begunAt,
    readAt: read.begunAt,
    source: "litellm",
    periodStartedAt,
    resetsAt: read.resetsAt,
    spendRateNanoUsdPerSecond: 0n,
    epoch: 0,
  };
}

/** True when spend that falls from one amount to the other no longer blocks the tenant. */
export function liftsBlock(fromNanoUsd: NanoUsd, toNanoUsd: NanoUsd, blocksAtNanoUsd: NanoUsd): boolean {
  return fromNanoUsd >= blocksAtNanoUsd && toNanoUsd < blocksAtNanoUsd;
}

/**
 * Merges a read into a copy of the record at the edge. Within a period the spend is the maximum: only Postgres decides
 * that LiteLLM's spend fell, and its next copy has a higher epoch. But of Gate's calls Postgres may never hear, so a
 * read that is late enough settles them; if that lifts a block, the second one, a minute later. `period` is the
 * config's.
 */
export function mergeRead(
  known: SpendRecord | null,
  read: SpendRead,
  period: Period,
  blocksAtNanoUsd: NanoUsd,
): SpendRecord {
  if (known === null) return recordFrom(read, firstPeriodOf(read, period));
  const startedAt = periodStartOf(known, read, period);
  if (startedAt === null) return known;
  const spendRateNanoUsdPerSecond = spendRateAfter(known, read.spendNanoUsd, read.begunAt);
  if (startedAt > known.periodStartedAt) return { ...recordFrom(read, startedAt), spendRateNanoUsdPerSecond };
  const isCorrected =
    read.spendNanoUsd > known.spendNanoUsd || (isUncharged(known, read, blocksAtNanoUsd) && isNewest(known, read));
  return {
    ...known,
    ...(isCorrected && { spendNanoUsd: read.spendNanoUsd, observedAt: read.begunAt, source: "litellm" as const }),
    ...(isNewest(known, read) && { readAt: read.begunAt, resetsAt: read.resetsAt, spendRateNanoUsdPerSecond }),
  };
}

/** True when the read settles the calls of Gate in the record: those that it does not show were not charged. */
function isUncharged(known: SpendRecord, read: SpendRead, blocksAtNanoUsd: NanoUsd): boolean {
  if (known.source !== "gate") return false;
  const chargedAt = known.observedAt + CHARGED_MS;
  if (!liftsBlock(known.spendNanoUsd, read.spendNanoUsd, blocksAtNanoUsd)) return read.begunAt >= chargedAt;
  // An earlier read that was late enough would have corrected the record, had it not shown the same.
  return (known.readAt ?? 0) >= chargedAt && read.begunAt >= chargedAt + LIFT_MS;
}

/** True when no later read has been merged into the record. */
export function isNewest(known: SpendRecord, read: SpendRead): boolean {
  return read.begunAt > (known.readAt ?? 0);
}

/** Adds the cost of a call that Gate has just forwarded. Postgres counts the same call when its event arrives. */
export function addCall(known: SpendRecord, costNanoUsd: NanoUsd, endedAt: Instant): SpendRecord {
  return { ...known, spendNanoUsd: known.spendNanoUsd + costNanoUsd, source: "gate", observedAt: endedAt };
}

/**
 * Joins two copies of one tenant's record. The order of the arguments does not matter. A later period or epoch replaces
 * the copy before it, even with less spend; within an epoch the spend is the maximum.
 */
export function joinRecords(a: SpendRecord, b: SpendRecord): SpendRecord {
  if (a.periodStartedAt !== b.periodStartedAt) return a.periodStartedAt > b.periodStartedAt ? a : b;
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b;
  const higher = ranksBelow(spendRank(a), spendRank(b)) ? b : a;
  const newest = ranksBelow(readRank(a), readRank(b)) ? b : a;
  const { spendNanoUsd, observedAt, source } = higher;
  return { ...newest, spendNanoUsd, observedAt, source };
}

/** Sort key of a record, most significant first. Its last parts break ties, so that every order of joining agrees. */
type Rank = readonly [bigint | number, bigint | number, bigint | number];

const SOURCES_BY_TRUST: readonly ObservationSource[] = ["gate", "events", "webhook", "litellm"];

function spendRank(record: SpendRecord): Rank {
  return [record.spendNanoUsd, record.observedAt, SOURCES_BY_TRUST.indexOf(record.source)];
}

function readRank(record: SpendRecord): Rank {
  return [record.readAt ?? -1, record.resetsAt ?? -1, record.spendRateNanoUsdPerSecond];
}

function ranksBelow([a1, a2, a3]: Rank, [b1, b2, b3]: Rank): boolean {
  if (a1 !== b1) return a1 < b1;
  if (a2 !== b2) return a2 < b2;
  return a3 < b3;
}

/**
 * The average of the old rate, which fades, and the rate since the last observation: steady calls in many small steps
 * add up to their rate. Never below the rate since then, so that a burst shows at once.
 */
export function spendRateAfter(known: SpendRecord, spendNanoUsd: NanoUsd, at: Instant): NanoUsd {
  const elapsedMs = Math.max(at - asOf(known), 1);
  const rise = spendNanoUsd > known.spendNanoUsd ? spendNanoUsd - known.spendNanoUsd : 0n;
  const perSecond = (ms: number) => (rise * 1_000n) / BigInt(ms);
  const fade = 2 ** (-elapsedMs / SPEND_RATE_HALF_LIFE_MS);
  const shareOf = (rate: NanoUsd, share: number) => (rate * BigInt(Math.round(share * 1e9))) / 1_000_000_000n;
  const average = shareOf(known.spendRateNanoUsdPerSecond, fade) + shareOf(perSecond(elapsedMs), 1 - fade);
  const seen = perSecond(Math.max(elapsedMs, SPEND_RATE_SPAN_MS));
  if (seen > average) return seen;
  return average;
}
