// How a read changes the spend record: the maximum of the period, what may lower it, and when a period ends.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { showsNewPeriod } from "../../src/budget/period.ts";
import { asOf, joinRecords, mergeRead, type SpendRead, type SpendRecord } from "../../src/budget/spend.ts";
import { aRead, aSpendRecord, DAY, largest, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "./builders.ts";

const PERIOD = { startedAt: PERIOD_START, resetsAt: RESET };

/** A read of the given dollars that began the given seconds from now. */
function read(dollars: string, seconds: number, resetsAt: number | null = RESET): SpendRead {
  return aRead({ spendNanoUsd: usd(dollars), begunAt: NOW + seconds * SECOND, resetsAt });
}

function foldAll(reads: readonly SpendRead[], from: SpendRecord | null = null): SpendRecord | null {
  return reads.reduce<SpendRecord | null>((known, next) => mergeRead(known, next, PERIOD), from);
}

describe("the first read", () => {
  it("becomes the record of the config's period", () => {
    expect(mergeRead(null, read("12.5", 0), PERIOD)).toEqual({
      spendNanoUsd: usd("12.5"),
      observedAt: NOW,
      readAt: NOW,
      source: "litellm",
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
      spendRateNanoUsdPerSecond: 0n,
    });
  });

  it("belongs to the next period when LiteLLM has reset since the config learned the end", () => {
    const later = aRead({ begunAt: RESET + MINUTE, resetsAt: RESET + 30 * DAY });
    expect(mergeRead(null, later, PERIOD)).toMatchObject({ periodStartedAt: RESET, resetsAt: RESET + 30 * DAY });
  });

  it("counts even when LiteLLM's clock runs ahead, so that the subject seems to be created after the read", () => {
    const record = mergeRead(null, read("3", 0), { startedAt: NOW + 30 * SECOND, resetsAt: RESET });
    expect(record).toMatchObject({ spendNanoUsd: usd("3"), periodStartedAt: NOW + 30 * SECOND });
  });
});

describe("within a period", () => {
  it("raises the spend at once by a higher read", () => {
    const record = mergeRead(aSpendRecord(), read("100.01", 1), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd("100.01"), observedAt: NOW + SECOND, readAt: NOW + SECOND });
  });

  it("confirms the spend by an equal read and keeps its first observation", () => {
    const record = mergeRead(aSpendRecord(), read("100", 90), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd("100"), observedAt: NOW, readAt: NOW + 90 * SECOND });
    expect(asOf(record)).toBe(NOW + 90 * SECOND);
  });

  test.each([
    ["59.999 s after the higher observation and changes nothing", 59_999, "100"],
    ["60 s after the higher observation and lowers it", 60_000, "80"],
  ])("gives the spend of the table for a lower read that began %s", (_rule, ms, spend) => {
    const record = mergeRead(aSpendRecord(), aRead({ spendNanoUsd: usd("80"), begunAt: NOW + ms }), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd(spend), readAt: NOW + ms });
  });

  it("lowers spend observed by Gate as well, and becomes its source", () => {
    const seen = aSpendRecord({ source: "gate", readAt: null });
    expect(mergeRead(seen, read("80", 60), PERIOD)).toMatchObject({ spendNanoUsd: usd("80"), source: "litellm" });
    expect(mergeRead(seen, read("80", 59), PERIOD)).toMatchObject({ spendNanoUsd: usd("100"), source: "gate" });
  });

  it("neither lowers the spend nor counts as the newest when it answers an earlier read late", () => {
    const confirmed = aSpendRecord({ readAt: NOW + 90 * SECOND, resetsAt: RESET + DAY });
    expect(mergeRead(confirmed, read("80", 70), PERIOD)).toEqual(confirmed);
  });

  it("raises the spend by a late answer, unless a read that began 60 s later showed less", () => {
    const lowered = aSpendRecord({ spendNanoUsd: usd("50") });
    expect(mergeRead(lowered, read("60", -59), PERIOD)).toMatchObject({ spendNanoUsd: usd("60"), readAt: NOW });
    expect(mergeRead(lowered, read("60", -60), PERIOD)).toEqual(lowered);
  });

  it("takes the reset from the newest read, also when it has none any more", () => {
    expect(mergeRead(aSpendRecord(), read("100", 5, RESET + DAY), PERIOD).resetsAt).toBe(RESET + DAY);
    expect(mergeRead(aSpendRecord(), read("100", 5, null), PERIOD).resetsAt).toBeNull();
    expect(mergeRead(aSpendRecord({ resetsAt: null }), read("100", 5), PERIOD).resetsAt).toBe(RESET);
    expect(mergeRead(aSpendRecord(), read("100", -5, RESET + DAY), PERIOD).resetsAt).toBe(RESET);
  });

  it("never lowers the spend except by a newest read that began 60 s or more after the higher observation", () => {
    fc.assert(
      fc.property(fc.array(anyRead, { minLength: 2, maxLength: 12 }), ([first, ...others]) => {
        let known = mergeRead(null, first ?? aRead(), PERIOD);
        for (const next of others) {
          const after = mergeRead(known, next, PERIOD);
          if (after.spendNanoUsd < known.spendNanoUsd) {
            expect(after.spendNanoUsd).toBe(next.spendNanoUsd);
            expect(next.begunAt - known.observedAt).toBeGreaterThanOrEqual(60_000);
            expect(next.begunAt).toBeGreaterThan(known.readAt ?? 0);
          } else {
            expect(after.spendNanoUsd >= known.spendNanoUsd).toBe(true);
          }
          known = after;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives the same record when a read is merged twice", () => {
    fc.assert(
      fc.property(fc.array(anyRead, { maxLength: 8 }), anyRead, (reads, last) => {
        const once = foldAll([...reads, last]);
        expect(foldAll([last], once)).toEqual(once);
      }),
    );
  });

  it("gives the same spend when a read is merged or its record is joined", () => {
    fc.assert(
      fc.property(fc.array(anyRead, { minLength: 1, maxLength: 8 }), anyRead, (reads, last) => {
        const known = foldAll(reads) ?? aSpendRecord();
        const alone = mergeRead(null, last, PERIOD);
        expect(mergeRead(known, last, PERIOD).spendNanoUsd).toBe(joinRecords(known, alone).spendNanoUsd);
      }),
      { numRuns: 500 },
    );
  });

  it("ends in the maximum of rising spend, whatever the order of reads that lag 15 s", () => {
    const anyLaggingRead = fc.record({ at: fc.integer({ min: 0, max: 600 }), lag: fc.integer({ min: 0, max: 15 }) });
    fc.assert(
      fc.property(fc.array(anyLaggingRead, { minLength: 1, maxLength: 10 }), (lagging) => {
        const reads = lagging.map(({ at, lag }) => read(String(1_000 + at - lag), at));
        expect(foldAll(reads)?.spendNanoUsd).toBe(largest(reads.map((lagged) => lagged.spendNanoUsd)));
      }),
    );
  });
});

describe("a new period", () => {
  const next = RESET + 31 * DAY;

  it("shows in a read that began at or after the end and names a later end", () => {
    expect(showsNewPeriod(PERIOD, aRead({ begunAt: RESET, resetsAt: next }))).toBe(true);
  });

  test.each<[string, SpendRead, { startedAt: number; resetsAt: number | null }]>([
    ["before the end, which an administrator moved", aRead({ begunAt: RESET - 1, resetsAt: next }), PERIOD],
    ["while LiteLLM still names the old end", aRead({ begunAt: RESET + MINUTE, resetsAt: RESET }), PERIOD],
    ["when LiteLLM names no end", aRead({ begunAt: RESET + MINUTE, resetsAt: null }), PERIOD],
    ["when no end was known", aRead({ begunAt: NOW, resetsAt: next }), { startedAt: PERIOD_START, resetsAt: null }],
    [
      "when the end was overdue as the period began by hand",
      aRead({ begunAt: RESET + 9 * MINUTE, resetsAt: next }),
      { startedAt: RESET + 5 * MINUTE, resetsAt: RESET },
    ],
  ])("does not show %s", (_rule, shown, known) => {
    expect(showsNewPeriod(known, shown)).toBe(false);
  });

  it("begins at the old end with the read spend, however much lower, and keeps the spend rate", () => {
    const known = aSpendRecord({
      spendNanoUsd: usd("550"),
      observedAt: RESET,
      readAt: RESET,
      spendRateNanoUsdPerSecond: 7n,
    });
    const shown = aRead({ spendNanoUsd: usd("0.5"), begunAt: RESET + SECOND, resetsAt: next });
    expect(mergeRead(known, shown, PERIOD)).toEqual({
      spendNanoUsd: usd("0.5"),
      observedAt: RESET + SECOND,
      readAt: RESET + SECOND,
      source: "litellm",
      periodStartedAt: RESET,
      resetsAt: next,
      spendRateNanoUsdPerSecond: 7n,
    });
  });

  it("replaces the record of the period before when the config knows the new period", () => {
    const period = { startedAt: NOW, resetsAt: RESET };
    expect(mergeRead(aSpendRecord(), read("1", 1), period)).toMatchObject({
      spendNanoUsd: usd("1"),
      periodStartedAt: NOW,
    });
  });

  it("ignores the old spend of a read that was in progress as the period began", () => {
    const known = aSpendRecord({ readAt: NOW - MINUTE });
    const startedNow = { startedAt: NOW, resetsAt: RESET };
    expect(mergeRead(known, read("550", -1), startedNow)).toEqual(known);
    const afterReset = { startedAt: RESET, resetsAt: next };
    expect(mergeRead(known, aRead({ begunAt: RESET + 5, resetsAt: RESET }), afterReset)).toEqual(known);
  });

  it("accepts a read that began long before it, because then a clock is wrong", () => {
    const known = aSpendRecord();
    const record = mergeRead(known, read("550", -60), { startedAt: NOW, resetsAt: RESET });
    expect(record).toMatchObject({ spendNanoUsd: usd("550"), periodStartedAt: NOW });
    expect(mergeRead(known, read("550", 0), { startedAt: NOW, resetsAt: RESET }).periodStartedAt).toBe(NOW);
  });

  it("ignores late answers of the period before", () => {
    const known = aSpendRecord({ spendNanoUsd: 0n, periodStartedAt: NOW, observedAt: NOW + 9, readAt: NOW + 9 });
    const period = { startedAt: NOW, resetsAt: RESET };
    expect(mergeRead(known, read("550", -1), period)).toEqual(known);
    for (const begunAt of [NOW + 8, NOW + 9]) {
      const lateOfReplica = aRead({ spendNanoUsd: usd("550"), begunAt, resetsAt: NOW });
      expect(mergeRead(known, lateOfReplica, period)).toEqual(known);
    }
  });

  it("never gives way to an earlier period, whatever is read in whatever order", () => {
    const anyEnd = fc.constantFrom(null, RESET, RESET + DAY, RESET + 2 * DAY);
    const anyLateRead = fc.record({
      spendNanoUsd: fc.bigInt({ min: 0n, max: 9n }),
      begunAt: fc.integer({ min: -5, max: 60 }).map((hours) => RESET + hours * 60 * MINUTE),
      resetsAt: anyEnd,
    });
    const anyStart = fc.constantFrom(PERIOD_START, RESET, RESET + 5 * MINUTE, RESET + DAY);
    const step = fc.record({ shown: anyLateRead, startedAt: anyStart, resetsAt: anyEnd });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        let known: SpendRecord | null = null;
        for (const { shown, startedAt, resetsAt } of steps) {
          const after: SpendRecord = mergeRead(known, shown, { startedAt, resetsAt });
          expect(after.periodStartedAt).toBeGreaterThanOrEqual(known?.periodStartedAt ?? 0);
          known = after;
        }
      }),
      { numRuns: 500 },
    );
  });
});

const anyRead: fc.Arbitrary<SpendRead> = fc.record({
  spendNanoUsd: fc.bigInt({ min: 0n, max: 9n }),
  begunAt: fc.integer({ min: 0, max: 30 }).map((tens) => NOW + tens * 10 * SECOND),
  resetsAt: fc.constant(RESET),
});
