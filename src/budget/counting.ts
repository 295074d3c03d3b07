// Counts a tenant's spend from calls and reads. LiteLLM's amounts beside a call are up to a minute old, and its
// database is 10 to 25 s behind, so the spend is a lower bound of what LiteLLM will count: the value of one read, plus
// the calls that ended after it. Spend falls only when a read replaces the ledger. Pure: Postgres tells new calls from
// repeated ones, adds them by the rule of `countCalls`, and sums the calls after an instant.

import type { Instant } from "./instant.ts";
import { limitAt } from "./limit.ts";
import type { NanoUsd } from "./money.ts";
import { isPastReset, type Period } from "./period.ts";
import {
  DATABASE_LAG_MS,
  firstPeriodOf,
  isNewest,
  LIFT_MS,
  liftsBlock,
  periodStartOf,
  recordFrom,
  type SpendRead,
  type SpendRecord,
  spendRateAfter,
} from "./spend.ts";
import type { TenantConfig } from "./tenant.ts";
import { stateAt } from "./verdict.ts";

/** A finished call that is counted for the first time. */
export interface CountedCall {
  readonly endedAt: Instant;
  readonly costNanoUsd: NanoUsd;
}

/** A read that shows less than the ledger. A second one, late enough, proves that LiteLLM's spend fell. */
interface Doubt {
  readonly spendNanoUsd: NanoUsd;
  readonly valueNanoUsd: NanoUsd;
  readonly at: Instant;
}

/** The spend record in Postgres, with what it was counted from. Its spend is the highest of its epoch. */
export interface Ledger extends SpendRecord {
  /** The value of one read, and when LiteLLM had answered it. */
  readonly baseNanoUsd: NanoUsd;
  readonly baseAnsweredAt: Instant;
  /** The cost of the counted calls that are not in the base. */
  readonly sinceNanoUsd: NanoUsd;
  /** When a call was last counted; null before the first. */
  readonly countedAt: Instant | null;
  readonly doubt: Doubt | null;
  /** Reads asked before this instant are ignored. */
  readonly fenceAt: Instant;
}

/** How far the clock of LiteLLM's pods may be ahead of Bursar's. */
export const SKEW_MS = 3_000;

/** LiteLLM writes its database within 25 s; a read asked this long after a doubt has seen every call before it. */
const PROOF_MS = 40_000;

/**
 * A base older than this gives way to a lower one, so that a call that the base already contained is not added on top
 * of it for ever.
 */
const RENEW_MS = 120_000;

/** A call that ended longer ago is left to the reads: its period may be over. */
const HORIZON_MS = 3_600_000;

/** A call that ends further ahead comes from a broken clock, and no read would ever contain it. */
const AHEAD_MS = 60_000;

/** True for a call that ended late enough to be counted at `now`. Others are left to the reads. */
export function isCountable({ endedAt }: Pick<CountedCall, "endedAt">, now: Instant): boolean {
  return endedAt >= now - HORIZON_MS && endedAt <= now + AHEAD_MS;
}

/** Calls that ended later are not in a read's value. */
export function cutoffOf({ answeredAt }: Pick<SpendRead, "answeredAt">): Instant {
  return answeredAt + SKEW_MS;
}

/**
 * The ledger after calls that no ledger has counted before. Postgres applies the same rule in one statement; a test
 * compares the two.
 */
export function countCalls(ledger: Ledger, calls: readonly CountedCall[], now: Instant): Ledger {
  if (calls.length === 0) return ledger;
  const cutoff = cutoffOf({ answeredAt: ledger.baseAnsweredAt });
  // A call past the end of the period may belong to the next one: a read decides.
  const newer = calls.filter(({ endedAt }) => endedAt > cutoff && !isPastReset(ledger, endedAt));
  const sinceNanoUsd = newer.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, ledger.sinceNanoUsd);
  const counted = { ...ledger, sinceNanoUsd, countedAt: now };
  const spendNanoUsd = spendOf(counted);
  if (spendNanoUsd === ledger.spendNanoUsd) return counted;
  const spendRateNanoUsdPerSecond = spendRateAfter(ledger, spendNanoUsd, now);
  return { ...counted, spendNanoUsd, observedAt: now, source: "events", spendRateNanoUsdPerSecond };
}

/** The cost of the counted calls of a ledger, by when they ended. */
export interface CallsAround {
  /** After the read's cutoff. */
  readonly afterCutoffNanoUsd: NanoUsd;
  /** So close to the read that its value may or may not contain them. */
  readonly atReadNanoUsd: NanoUsd;
  /** So close to the ledger's base that its value may or may not contain them. */
  readonly atBaseNanoUsd: NanoUsd;
}

export interface CountedRead {
  /** The same object when the read changes nothing. */
  readonly ledger: Ledger;
  /** When the read that settles the ledger's doubt is due; null without a doubt. */
  readonly proofAt: Instant | null;
  /** The cost of the calls that the base of this ledger may or may not contain. */
  readonly unsettledNanoUsd: NanoUsd;
}

interface ReadOptions {
  /** The config's. */
  readonly period: Period;
  readonly calls: CallsAround;
  /** The spend at which the tenant is blocked now. */
  readonly blocksAtNanoUsd: NanoUsd;
  readonly now: Instant;
  /** The spend of a row that has no base. */
  readonly before?: SpendRecord | null;
}

/** The ledger after a read, in whatever order reads arrive. */
export function countRead(ledger: Ledger | null, read: SpendRead, options: ReadOptions): CountedRead {
  const { period, calls, blocksAtNanoUsd, before = null } = options;
  const replaced = (from: Instant): CountedRead => ({
    ledger: replaceLedger(ledger ?? before, read, from, calls.afterCutoffNanoUsd),
    proofAt: null,
    unsettledNanoUsd: calls.atReadNanoUsd,
  });
  if (ledger === null) return replaced(firstPeriodOf(read, period));
  const startedAt = periodStartOf(ledger, read, period);
  if (startedAt === null || read.begunAt < ledger.fenceAt) {
    return { ledger, proofAt: proofAt(ledger, blocksAtNanoUsd), unsettledNanoUsd: calls.atBaseNanoUsd };
  }
  if (startedAt > ledger.periodStartedAt) return replaced(startedAt);

  const { doubt, hasFallen } = judgeFall(ledger, read, options);
  if (hasFallen) return replaced(startedAt);
  const isBase = isBetterBase(ledger, read, calls);
  const after = isBase ? withBase(ledger, read, calls.afterCutoffNanoUsd) : ledger;
  const merged: Ledger = { ...withRead(ledger, after, read), doubt };
  return {
    ledger: isSame(ledger, merged) ? ledger : merged,
    proofAt: proofAt(merged, blocksAtNanoUsd),
    unsettledNanoUsd: isBase ? calls.atReadNanoUsd : calls.atBaseNanoUsd,
  };
}

/** Calls that ended between these instants may or may not be in a read's value: not in `from`, and up to `to`. */
export function unsettledAround({ answeredAt }: Pick<SpendRead, "answeredAt">): { from: Instant; to: Instant } {
  return { from: answeredAt - DATABASE_LAG_MS, to: cutoffOf({ answeredAt }) };
}

/**
 * When a read is due because of calls that the base may or may not contain: they might change the tenant's state. Null
 * when they would not.
 */
export function settlesAt(
  config: TenantConfig,
  { spendNanoUsd, baseAnsweredAt }: Pick<Ledger, "spendNanoUsd" | "baseAnsweredAt">,
  unsettledNanoUsd: NanoUsd,
  now: Instant,
): Instant | null {
  const highest = stateAt(config, spendNanoUsd + unsettledNanoUsd, now).state;
  if (highest === stateAt(config, spendNanoUsd, now).state) return null;
  const settled = settledFrom(baseAnsweredAt);
  // A read after that did not become the base, because LiteLLM's database is late. It needs no more reads for that.
  return settled > now ? settled : settledFrom(now);
}

/** A read that was asked from then on shows all calls that a base of that time may lack. */
const settledFrom = (baseAnsweredAt: Instant): Instant => cutoffOf({ answeredAt: baseAnsweredAt }) + DATABASE_LAG_MS;

function isSame(a: Ledger, b: Ledger): boolean {
  return (Object.keys(b) as (keyof Ledger)[]).every((field) => a[field] === b[field]);
}

function proofAt({ doubt, spendNanoUsd }: Ledger, blocksAtNanoUsd: NanoUsd): Instant | null {
  if (doubt === null) return null;
  return doubt.at + proofMs(liftsBlock(spendNanoUsd, doubt.valueNanoUsd, blocksAtNanoUsd)) + 1_000;
}

const proofMs = (isLift: boolean): number => (isLift ? LIFT_MS : PROOF_MS);

/**
 * A ledger that begins with a read, whatever was counted before: the first read of a period, after Bursar's own reset,
 * or of a new subject.
 */
export function replaceLedger(
  before: SpendRecord | null,
  read: SpendRead,
  periodStartedAt: Instant,
  afterCutoffNanoUsd: NanoUsd,
): Ledger {
  const spendNanoUsd = read.spendNanoUsd + afterCutoffNanoUsd;
  return {
    ...recordFrom(read, periodStartedAt),
    spendNanoUsd,
    spendRateNanoUsdPerSecond: before?.spendRateNanoUsdPerSecond ?? 0n,
    // A tenant that is deleted and created again begins above the epochs of its former life, which the edge may hold.
    epoch: before === null ? Math.floor(read.begunAt / 1_000) : before.epoch + 1,
    baseNanoUsd: read.spendNanoUsd,
    baseAnsweredAt: read.answeredAt,
    sinceNanoUsd: afterCutoffNanoUsd,
    countedAt: null,
    doubt: null,
    fenceAt: read.begunAt,
  };
}

/** A fall that lifts a block needs two reads below the block threshold, further apart than for any other fall. */
function judgeFall(
  ledger: Ledger,
  read: SpendRead,
  { calls, blocksAtNanoUsd, now }: ReadOptions,
): { doubt: Doubt | null; hasFallen: boolean } {
  const { doubt, countedAt, spendNanoUsd } = ledger;
  const value = read.spendNanoUsd;
  if (value >= spendNanoUsd) return { doubt: null, hasFallen: false };
  const isLift = liftsBlock(spendNanoUsd, value + calls.afterCutoffNanoUsd, blocksAtNanoUsd);
  const isProof = doubt !== null && read.begunAt >= doubt.at + proofMs(isLift);
  const isShownTwice = doubt !== null && (!isLift || doubt.valueNanoUsd < blocksAtNanoUsd);
  // LiteLLM is not writing: calls were counted since, and its database still shows the same value.
  const isStalled = doubt !== null && value === doubt.valueNanoUsd && countedAt !== null && countedAt > doubt.at;
  if (isProof && isShownTwice && value < doubt.spendNanoUsd && !isStalled) return { doubt: null, hasFallen: true };
  if (doubt !== null && !isProof) return { doubt, hasFallen: false };
  return { doubt: { spendNanoUsd, valueNanoUsd: value, at: now }, hasFallen: false };
}

/** Spend that a read has lowered within its period. */
export interface Fall {
  readonly fromNanoUsd: NanoUsd;
  readonly toNanoUsd: NanoUsd;
}

/** Null unless the spend is lower in the same period. */
export function fallOf(before: SpendRecord | null, after: SpendRecord): Fall | null {
  if (before === null || before.periodStartedAt !== after.periodStartedAt) return null;
  const [fromNanoUsd, toNanoUsd] = [before.spendNanoUsd, after.spendNanoUsd];
  return toNanoUsd < fromNanoUsd ? { fromNanoUsd, toNanoUsd } : null;
}

/** True for a fall of more than 5 % of the limit: worth the attention of an operator. */
export function isLargeFall({ fromNanoUsd, toNanoUsd }: Fall, config: TenantConfig, now: Instant): boolean {
  return (fromNanoUsd - toNanoUsd) * 20n > limitAt(config, now).limitNanoUsd;
}

/** Of two equal bases the earlier one stays: calls that ended between the two, and arrive later, count only with it. */
function isBetterBase(ledger: Ledger, read: SpendRead, calls: CallsAround): boolean {
  const { baseNanoUsd, sinceNanoUsd, baseAnsweredAt } = ledger;
  const difference = read.spendNanoUsd + calls.afterCutoffNanoUsd - (baseNanoUsd + sinceNanoUsd);
  if (difference > 0n) return true;
  // The read shows that the base contained the calls around it.
  if (difference === 0n && calls.atBaseNanoUsd > 0n && read.begunAt >= settledFrom(baseAnsweredAt)) return true;
  if (read.spendNanoUsd === baseNanoUsd) return false;
  // Even without any of the calls around it the read shows less: the ledger has counted one too many.
  if (difference + calls.atReadNanoUsd < 0n) return true;
  return read.answeredAt - baseAnsweredAt > RENEW_MS;
}

function withBase(ledger: Ledger, read: SpendRead, afterCutoffNanoUsd: NanoUsd): Ledger {
  return {
    ...ledger,
    baseNanoUsd: read.spendNanoUsd,
    baseAnsweredAt: read.answeredAt,
    sinceNanoUsd: afterCutoffNanoUsd,
  };
}

function withRead(before: Ledger, after: Ledger, read: SpendRead): Ledger {
  const spendNanoUsd = spendOf(after);
  const hasRisen = spendNanoUsd > before.spendNanoUsd;
  return {
    ...after,
    ...(hasRisen && { spendNanoUsd, observedAt: read.begunAt, source: "litellm" as const }),
    ...(isNewest(before, read) && {
      readAt: read.begunAt,
      resetsAt: read.resetsAt,
      spendRateNanoUsdPerSecond: spendRateAfter(before, spendNanoUsd, read.begunAt),
    }),
  };
}

function spendOf({ baseNanoUsd, sinceNanoUsd, spendNanoUsd }: Ledger): NanoUsd {
  const counted = baseNanoUsd + sinceNanoUsd;
  return counted > spendNanoUsd ? counted : spendNanoUsd;
}
