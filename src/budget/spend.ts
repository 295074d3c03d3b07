// A tenant's spend record, and how a new observation changes it. Reads no clock.
// Observations may arrive late, repeated and in any order: the same set always gives the same record.

import type { Instant } from "./instant.ts";
import { type NanoUsd, nanoUsdFromNumber } from "./money.ts";
import { beganDuring, type Period, showsEarlierPeriod, showsNewPeriod } from "./period.ts";

/** Where an observation came from. Only `litellm` (a read of its API) is authoritative; the others are lower bounds. */
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
}

/** Spend from LiteLLM's API. `begunAt` is when Bursar sent the request, so the answer is at least that recent. */
export interface SpendRead {
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly resetsAt: Instant | null;
}

/**
 * LiteLLM's database lags up to 15 s behind its memory, longer under load: an earlier read of a lower spend proves
 * nothing.
 */
export const LOWER_READ_AFTER_MS = 60_000;

/**
 * How fast an old spend rate decays, and the shortest span that a rate is measured over (LiteLLM writes every 10 s).
 */
const SPEND_RATE_HALF_LIFE_MS = 60_000;
const SPEND_RATE_SPAN_MS = 10_000;

/** The instant of the most recent observation that agreed with the record. */
export function asOf(record: SpendRecord): Instant {
  return Math.max(record.observedAt, record.readAt ?? 0);
}

/**
 * Converts spend in US dollars from LiteLLM; null when it is no number. Negative spend (a refund of LiteLLM) counts as
 * zero.
 */
export function spendFromNumber(value: unknown): { spendNanoUsd: NanoUsd; wasNegative: boolean } | null {
  const amount = nanoUsdFromNumber(value);
  if (amount === null) return null;
  return amount < 0n ? { spendNanoUsd: 0n, wasNegative: true } : { spendNanoUsd: amount, wasNegative: false };
}

function recordFrom(read: SpendRead, known: Period): SpendRecord {
  const periodStartedAt = known.resetsAt !== null && showsNewPeriod(known, read) ? known.resetsAt : known.startedAt;
  return {
    spendNanoUsd: read.spendNanoUsd,
    observedAt: read.begunAt,
    readAt: read.begunAt,
    source: "litellm",
    periodStartedAt,
    resetsAt: read.resetsAt,
    spendRateNanoUsdPerSecond: 0n,
  };
}

/**
 * Merges a read into the known record. Within a period the spend is the maximum observed. It falls only when the period
 * advances, or by a read that began at least 60 s after the higher spend was observed. `period` is the config's.
 */
export function mergeRead(known: SpendRecord | null, read: SpendRead, period: Period): SpendRecord {
  if (known === null) return recordFrom(read, period);
  if (known.periodStartedAt < period.startedAt) {
    return beganDuring(period, read) ? known : recordFrom(read, period);
  }
  // The config knows the end of its own period best, because a change of the duration moves that end.
  const configsEnd = known.periodStartedAt === period.startedAt ? period.resetsAt : null;
  const current = { startedAt: known.periodStartedAt, resetsAt: configsEnd ?? known.resetsAt };
  if (showsNewPeriod(current, read)) {
    return { ...recordFrom(read, current), spendRateNanoUsdPerSecond: known.spendRateNanoUsdPerSecond };
  }
  const isNewest = read.begunAt > (known.readAt ?? 0);
  if (!isNewest && showsEarlierPeriod(known, read)) return known;
  return {
    ...known,
    ...(replacesSpend(known, read) && {
      spendNanoUsd: read.spendNanoUsd,
      observedAt: read.begunAt,
      source: "litellm" as const,
    }),
    readAt: isNewest ? read.begunAt : known.readAt,
    resetsAt: isNewest ? read.resetsAt : known.resetsAt,
    spendRateNanoUsdPerSecond: isNewest ? spendRateAfter(known, read) : known.spendRateNanoUsdPerSecond,
  };
}

/**
 * Higher spend counts unless a later read has disproved it. Lower spend counts only when the newest read disproves
 * ours.
 */
function replacesSpend(known: SpendRecord, read: SpendRead): boolean {
  if (read.spendNanoUsd > known.spendNanoUsd) return !isDisproved(read.begunAt, known.readAt);
  const isNewest = read.begunAt > (known.readAt ?? 0);
  return read.spendNanoUsd < known.spendNanoUsd && isNewest && isDisproved(known.observedAt, read.begunAt);
}

/** True when a read that showed less began late enough after the spend was observed. */
function isDisproved(observedAt: Instant, readAt: Instant | null): boolean {
  return readAt !== null && readAt - observedAt >= LOWER_READ_AFTER_MS;
}

/**
 * Joins two records of one tenant that were stored in different places. The order of the arguments does not matter.
 * Spend that both records observed counts from the later observation: a read in between may have disproved the earlier.
 */
export function joinRecords(a: SpendRecord, b: SpendRecord): SpendRecord {
  if (a.periodStartedAt !== b.periodStartedAt) return a.periodStartedAt > b.periodStartedAt ? a : b;
  const [lower, higher] = ranksBelow(spendRank(a), spendRank(b)) ? [a, b] : [b, a];
  const newest = ranksBelow(readRank(a), readRank(b)) ? b : a;
  const { spendNanoUsd, observedAt, source } = disproves(lower, higher) ? lower : higher;
  return { ...newest, spendNanoUsd, observedAt, source };
}

/**
 * Each read merged into `lower` showed at most its spend. The newest of them disproves `higher` when it began late
 * enough.
 */
function disproves(lower: SpendRecord, higher: SpendRecord): boolean {
  if (lower.spendNanoUsd === higher.spendNanoUsd || (lower.readAt ?? 0) <= (higher.readAt ?? 0)) return false;
  return isDisproved(higher.observedAt, lower.readAt);
}

/** Sort key of a record, most significant first. Its last parts break ties, so that every order of joining agrees. */
type Rank = readonly [bigint | number, bigint | number, bigint | number];

export const SOURCES_BY_TRUST: readonly ObservationSource[] = ["gate", "events", "webhook", "litellm"];

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
 * The higher of the rate since the last observation and the decayed old rate, so that a short pause does not hide a
 * burst.
 */
function spendRateAfter(known: SpendRecord, read: SpendRead): NanoUsd {
  const elapsedMs = Math.max(read.begunAt - asOf(known), 0);
  const rise = read.spendNanoUsd - known.spendNanoUsd;
  const seen = rise > 0n ? (rise * 1_000n) / BigInt(Math.max(elapsedMs, SPEND_RATE_SPAN_MS)) : 0n;
  const fade = Math.round(2 ** (-elapsedMs / SPEND_RATE_HALF_LIFE_MS) * 1_000);
  const faded = (known.spendRateNanoUsdPerSecond * BigInt(fade)) / 1_000n;
  return seen > faded ? seen : faded;
}
