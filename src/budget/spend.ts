// What is known of a tenant's spend, and what a new observation does to it. Never reads a clock, never guesses.
// Order, repetition and delay of observations must not matter: the same set ends in the same record.

import { type NanoUsd, nanoUsdFromNumber } from "./money.ts";
import type { Instant } from "./tenant.ts";

/** Where a figure came from. Only `litellm` (a read of its API) is the truth; the others are lower bounds. */
export type ObservationSource = "litellm" | "webhook" | "events" | "gate";

export interface SpendRecord {
  readonly spendNanoUsd: NanoUsd;
  /** When this height of spend was first seen. */
  readonly observedAt: Instant;
  /** When the newest read of LiteLLM that is folded in began; null before the first. */
  readonly readAt: Instant | null;
  readonly source: ObservationSource;
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
  readonly spendRateNanoUsdPerSecond: NanoUsd;
}

/** An answer of LiteLLM's own API. `begunAt` is when it was asked, so nothing in it is older than it claims. */
export interface SpendRead {
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly resetsAt: Instant | null;
}

/** LiteLLM's database lags up to 15 s behind its memory, and its queue may be slow: an earlier lower read proves nothing. */
export const LOWER_READ_AFTER_MS = 60_000;

/** How fast an old burn rate is forgotten, and the shortest span a rate is measured over (LiteLLM writes every 10 s). */
const SPEND_RATE_HALF_LIFE_MS = 60_000;
const SPEND_RATE_SPAN_MS = 10_000;

/** The most recent instant at which anything confirmed the record. */
export function asOf(record: SpendRecord): Instant {
  return Math.max(record.observedAt, record.readAt ?? 0);
}

/** A figure from outside, or null when it is none. Negative spend (LiteLLM's refunds) counts as zero. */
export function spendFromNumber(value: unknown): { spendNanoUsd: NanoUsd; wasNegative: boolean } | null {
  const amount = nanoUsdFromNumber(value);
  if (amount === null) return null;
  return amount < 0n ? { spendNanoUsd: 0n, wasNegative: true } : { spendNanoUsd: amount, wasNegative: false };
}

/** The period that the config knows; LiteLLM may already be in a later one. */
export interface Period {
  readonly startedAt: Instant;
  readonly resetsAt: Instant | null;
}

/**
 * True when a read shows that LiteLLM has begun a new period: the old end has passed and there is a later one. An end
 * that was overdue when the period began by hand ends nothing: periods never go backwards.
 */
export function showsNewPeriod(known: Period, read: SpendRead): boolean {
  if (known.resetsAt === null || read.resetsAt === null || known.resetsAt <= known.startedAt) return false;
  return read.begunAt >= known.resetsAt && read.resetsAt > known.resetsAt;
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
 * Folds a read into what is known. Within a period spend is the maximum seen; it goes down only when the period
 * advances, or by a read begun at least 60 s after the higher figure was seen. `period` is the config's.
 */
export function foldRead(known: SpendRecord | null, read: SpendRead, period: Period): SpendRecord {
  if (known === null) return recordFrom(read, period);
  if (known.periodStartedAt < period.startedAt) {
    return wasOvertakenBy(period, read) ? known : recordFrom(read, period);
  }
  // Of the config's own period the config knows the end better: a change of the duration moves it.
  const configsEnd = known.periodStartedAt === period.startedAt ? period.resetsAt : null;
  const current = { startedAt: known.periodStartedAt, resetsAt: configsEnd ?? known.resetsAt };
  if (showsNewPeriod(current, read)) {
    return { ...recordFrom(read, current), spendRateNanoUsdPerSecond: known.spendRateNanoUsdPerSecond };
  }
  const isNewest = read.begunAt > (known.readAt ?? 0);
  if (!isNewest && isOfEarlierPeriod(known, read)) return known;
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

/** A higher figure counts unless a later read has disproved it; a lower one only when the newest read disproves ours. */
function replacesSpend(known: SpendRecord, read: SpendRead): boolean {
  if (read.spendNanoUsd > known.spendNanoUsd) return !isDisproved(read.begunAt, known.readAt);
  const isNewest = read.begunAt > (known.readAt ?? 0);
  return read.spendNanoUsd < known.spendNanoUsd && isNewest && isDisproved(known.observedAt, read.begunAt);
}

/** True when a read that showed less was begun late enough after a figure was seen. */
function isDisproved(observedAt: Instant, readAt: Instant | null): boolean {
  return readAt !== null && readAt - observedAt >= LOWER_READ_AFTER_MS;
}

/**
 * Joins two records of one tenant that were kept in different places. The order of the arguments does not matter.
 * A figure that both saw counts from the later sight: the earlier one may have been disproved in between.
 */
export function joinRecords(a: SpendRecord, b: SpendRecord): SpendRecord {
  if (a.periodStartedAt !== b.periodStartedAt) return a.periodStartedAt > b.periodStartedAt ? a : b;
  const [lower, higher] = ranksBelow(spendRank(a), spendRank(b)) ? [a, b] : [b, a];
  const newest = ranksBelow(readRank(a), readRank(b)) ? b : a;
  const { spendNanoUsd, observedAt, source } = disproves(lower, higher) ? lower : higher;
  return { ...newest, spendNanoUsd, observedAt, source };
}

/** Every read folded into `lower` showed at most its figure; the newest of all, begun late enough, settles it. */
function disproves(lower: SpendRecord, higher: SpendRecord): boolean {
  if (lower.spendNanoUsd === higher.spendNanoUsd || (lower.readAt ?? 0) <= (higher.readAt ?? 0)) return false;
  return isDisproved(higher.observedAt, lower.readAt);
}

/** What two records are ordered by, first things first. It ends in trifles, so that no two orders of joining differ. */
type Rank = readonly [bigint | number, bigint | number, bigint | number];

export const SOURCES_BY_WORTH: readonly ObservationSource[] = ["gate", "events", "webhook", "litellm"];

function spendRank(record: SpendRecord): Rank {
  return [record.spendNanoUsd, record.observedAt, SOURCES_BY_WORTH.indexOf(record.source)];
}

function readRank(record: SpendRecord): Rank {
  return [record.readAt ?? -1, record.resetsAt ?? -1, record.spendRateNanoUsdPerSecond];
}

function ranksBelow([a1, a2, a3]: Rank, [b1, b2, b3]: Rank): boolean {
  if (a1 !== b1) return a1 < b1;
  if (a2 !== b2) return a2 < b2;
  return a3 < b3;
}

/** True when the read was under way while the config's period began, so that it shows the one before. */
function wasOvertakenBy(period: Period, read: SpendRead): boolean {
  const headStartMs = period.startedAt - read.begunAt;
  // A read takes seconds. One begun long before the period is our clock lagging behind LiteLLM's, and counts.
  return read.resetsAt === period.startedAt || (headStartMs > 0 && headStartMs < LOWER_READ_AFTER_MS);
}

function isOfEarlierPeriod(known: SpendRecord, read: SpendRead): boolean {
  return read.begunAt < known.periodStartedAt || (read.resetsAt !== null && read.resetsAt <= known.periodStartedAt);
}

/** The faster of the rate just seen and the old one as it fades: a pause never hides a burst at once. */
function spendRateAfter(known: SpendRecord, read: SpendRead): NanoUsd {
  const elapsedMs = Math.max(read.begunAt - asOf(known), 0);
  const rise = read.spendNanoUsd - known.spendNanoUsd;
  const seen = rise > 0n ? (rise * 1_000n) / BigInt(Math.max(elapsedMs, SPEND_RATE_SPAN_MS)) : 0n;
  const fade = Math.round(2 ** (-elapsedMs / SPEND_RATE_HALF_LIFE_MS) * 1_000);
  const faded = (known.spendRateNanoUsdPerSecond * BigInt(fade)) / 1_000n;
  return seen > faded ? seen : faded;
}
