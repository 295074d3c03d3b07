// How a read and a call change a copy of the spend record: the maximum of its epoch, and when a period ends.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type Period, showsNewPeriod } from "../../src/budget/period.ts";
import {
  addCall,
  asOf,
  isUnconfirmed,
  joinRecords,
  mergeRead,
  type SpendRead,
  type SpendRecord,
} from "../../src/budget/spend.ts";
import { aRead, aSpendRecord, DAY, largest, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "./builders.ts";

/** Into a record of a tenant that no spend blocks. */
const merge = (known: SpendRecord | null, read: SpendRead, period: Period) => mergeRead(known, read, period, 0n);

const PERIOD = { startedAt: PERIOD_START, resetsAt: RESET };

/** A read of the given dollars that began the given seconds from now. */
function read(dollars: string, seconds: number, resetsAt: number | null = RESET): SpendRead {
  return aRead({ spendNanoUsd: usd(dollars), begunAt: NOW + seconds * SECOND, resetsAt });
}

function foldAll(reads: readonly SpendRead[], from: SpendRecord | null = null): SpendRecord | null {
  return reads.reduce<SpendRecord | null>((known, next) => merge(known, next, PERIOD), from);
}

describe("the first read", () => {
  it("becomes the record of the config's period", () => {
    expect(merge(null, read("12.5", 0), PERIOD)).toEqual({
      spendNanoUsd: usd("12.5"),
      observedAt: NOW,
      readAt: NOW,
      source: "litellm",
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
      spendRateNanoUsdPerSecond: 0n,
      epoch: 0,
    });
  });

  it("belongs to the next period when LiteLLM has reset since the config learned the end", () => {
    const later = aRead({ begunAt: RESET + MINUTE, resetsAt: RESET + 30 * DAY });
    expect(merge(null, later, PERIOD)).toMatchObject({ periodStartedAt: RESET, resetsAt: RESET + 30 * DAY });
  });

  it("counts even when LiteLLM's clock runs ahead, so that the subject seems to be created after the read", () => {
    const record = merge(null, read("3", 0), { startedAt: NOW + 30 * SECOND, resetsAt: RESET });
    expect(record).toMatchObject({ spendNanoUsd: usd("3"), periodStartedAt: NOW + 30 * SECOND });
  });
});

describe("within a period", () => {
  it("raises the spend at once by a higher read", () => {
    const record = merge(aSpendRecord(), read("100.01", 1), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd("100.01"), observedAt: NOW + SECOND, readAt: NOW + SECOND });
  });

  it("confirms the spend by an equal read and keeps its first observation", () => {
    const record = merge(aSpendRecord(), read("100", 90), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd("100"), observedAt: NOW, readAt: NOW + 90 * SECOND });
    expect(asOf(record)).toBe(NOW + 90 * SECOND);
  });

  it("keeps the spend when a read shows less: only Postgres decides that LiteLLM's spend fell", () => {
    const record = merge(aSpendRecord(), read("80", 3_600), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd("100"), observedAt: NOW, readAt: NOW + 3_600 * SECOND });
  });

  it("keeps the epoch, whatever the read shows", () => {
    expect(merge(aSpendRecord({ epoch: 7 }), read("80", 60), PERIOD).epoch).toBe(7);
    expect(merge(aSpendRecord({ epoch: 7 }), read("120", 60), PERIOD).epoch).toBe(7);
  });

  it("raises the spend by a late answer, which does not count as the newest read", () => {
    const confirmed = aSpendRecord({ readAt: NOW + 90 * SECOND, resetsAt: RESET + DAY });
    expect(merge(confirmed, read("80", 70), PERIOD)).toEqual(confirmed);
    expect(merge(confirmed, read("120", 70), PERIOD)).toEqual({
      ...confirmed,
      spendNanoUsd: usd("120"),
      observedAt: NOW + 70 * SECOND,
    });
  });

  it("takes any read as the newest when there was none before", () => {
    const reported = aSpendRecord({ readAt: null, source: "webhook" });
    const record = merge(reported, read("90", -5), PERIOD);
    expect(record).toMatchObject({ spendNanoUsd: usd("100"), readAt: NOW - 5 * SECOND });
  });

  it("takes the reset from the newest read, also when it has none any more", () => {
    expect(merge(aSpendRecord(), read("100", 5, RESET + DAY), PERIOD).resetsAt).toBe(RESET + DAY);
    expect(merge(aSpendRecord(), read("100", 5, null), PERIOD).resetsAt).toBeNull();
    expect(merge(aSpendRecord({ resetsAt: null }), read("100", 5), PERIOD).resetsAt).toBe(RESET);
    expect(merge(aSpendRecord(), read("100", -5, RESET + DAY), PERIOD).resetsAt).toBe(RESET);
  });

  it("never lowers the spend", () => {
    fc.assert(
      fc.property(fc.array(anyRead, { minLength: 2, maxLength: 12 }), (reads) => {
        expect(foldAll(reads)?.spendNanoUsd).toBe(largest(reads.map(({ spendNanoUsd }) => spendNanoUsd)));
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
        const alone = merge(null, last, PERIOD);
        expect(merge(known, last, PERIOD).spendNanoUsd).toBe(joinRecords(known, alone).spendNanoUsd);
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
      spendRateNanoUsdPerSecond: usd("7"),
    });
    const shown = aRead({ spendNanoUsd: usd("0.5"), begunAt: RESET + SECOND, resetsAt: next });
    expect(merge(known, shown, PERIOD)).toEqual({
      spendNanoUsd: usd("0.5"),
      observedAt: RESET + SECOND,
      readAt: RESET + SECOND,
      source: "litellm",
      periodStartedAt: RESET,
      resetsAt: next,
      spendRateNanoUsdPerSecond: usd("6.91959814"),
      epoch: 0,
    });
  });

  it("replaces the record of the period before when the config knows the new period", () => {
    const period = { startedAt: NOW, resetsAt: RESET };
    expect(merge(aSpendRecord(), read("1", 1), period)).toMatchObject({
      spendNanoUsd: usd("1"),
      periodStartedAt: NOW,
    });
  });

  it("ignores the old spend of a read that was in progress as the period began", () => {
    const known = aSpendRecord({ readAt: NOW - MINUTE });
    const startedNow = { startedAt: NOW, resetsAt: RESET };
    expect(merge(known, read("550", -1), startedNow)).toEqual(known);
    const afterReset = { startedAt: RESET, resetsAt: next };
    expect(merge(known, aRead({ begunAt: RESET + 5, resetsAt: RESET }), afterReset)).toEqual(known);
  });

  it("accepts a read that began long before it, because then a clock is wrong", () => {
    const known = aSpendRecord();
    const record = merge(known, read("550", -60), { startedAt: NOW, resetsAt: RESET });
    expect(record).toMatchObject({ spendNanoUsd: usd("550"), periodStartedAt: NOW });
    expect(merge(known, read("550", 0), { startedAt: NOW, resetsAt: RESET }).periodStartedAt).toBe(NOW);
  });

  it("ignores late answers of the period before", () => {
    const known = aSpendRecord({ spendNanoUsd: 0n, periodStartedAt: NOW, observedAt: NOW + 9, readAt: NOW + 9 });
    const period = { startedAt: NOW, resetsAt: RESET };
    expect(merge(known, read("550", -1), period)).toEqual(known);
    for (const begunAt of [NOW + 8, NOW + 9]) {
      const lateOfReplica = aRead({ spendNanoUsd: usd("550"), begunAt, resetsAt: NOW });
      expect(merge(known, lateOfReplica, period)).toEqual(known);
    }
  });

  it("never gives way to an earlier period, whatever is read in whatever order", () => {
    const anyEnd = fc.constantFrom(null, RESET, RESET + DAY, RESET + 2 * DAY);
    const anyLateRead = fc.record({
      spendNanoUsd: fc.bigInt({ min: 0n, max: 9n }),
      begunAt: fc.integer({ min: -5, max: 60 }).map((hours) => RESET + hours * 60 * MINUTE),
      answeredAt: fc.constant(RESET),
      resetsAt: anyEnd,
    });
    const anyStart = fc.constantFrom(PERIOD_START, RESET, RESET + 5 * MINUTE, RESET + DAY);
    const step = fc.record({ shown: anyLateRead, startedAt: anyStart, resetsAt: anyEnd });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        let known: SpendRecord | null = null;
        for (const { shown, startedAt, resetsAt } of steps) {
          const after: SpendRecord = merge(known, shown, { startedAt, resetsAt });
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
  answeredAt: fc.constant(NOW),
  resetsAt: fc.constant(RESET),
});

describe("a call through Gate", () => {
  const known = aSpendRecord({ epoch: 3 });

  it("adds its cost once, as spend that no read has shown", () => {
    const added = addCall(known, usd("0.28"), NOW + SECOND);
    expect(added).toEqual({ ...known, spendNanoUsd: usd("100.28"), source: "gate", observedAt: NOW + SECOND });
  });

  it("makes the record no younger, because the calls of other isolates are as unseen as before", () => {
    expect(asOf(addCall(known, usd("5"), NOW + SECOND))).toBe(NOW);
  });

  it("stays after a copy of the same epoch, and gone with the next epoch", () => {
    const added = addCall(known, usd("5"), NOW);
    expect(joinRecords(added, { ...known, spendNanoUsd: usd("103") }).spendNanoUsd).toBe(usd("105"));
    expect(joinRecords(added, { ...known, spendNanoUsd: usd("3"), epoch: 4 }).spendNanoUsd).toBe(usd("3"));
  });
});

describe("a call through Gate that LiteLLM never charged", () => {
  const added = addCall(aSpendRecord(), usd("5"), NOW + SECOND);

  it("counts until a read that began 40 s after it shows less", () => {
    expect(merge(added, read("100", 40), PERIOD)).toMatchObject({ spendNanoUsd: usd("105"), source: "gate" });
    expect(merge(added, read("100", 41), PERIOD)).toMatchObject({ spendNanoUsd: usd("100"), source: "litellm" });
  });
});

it("dates Gate's spend by its last read, or by itself where there was none", () => {
  const gate = { source: "gate", observedAt: NOW, readAt: NOW - MINUTE } as const;
  expect(asOf(aSpendRecord(gate))).toBe(NOW - MINUTE);
  expect(asOf(aSpendRecord({ ...gate, readAt: null }))).toBe(NOW);
});

describe("unconfirmed spend", () => {
  test.each([
    ["of a call, until a read that began 25 s later", "events", NOW + 24_999, true],
    ["of a call that such a read has seen", "events", NOW + 25_000, false],
    ["of a read", "litellm", null, false],
  ] as const)("covers spend %s", (_what, source, readAt, isOpen) => {
    expect(isUnconfirmed(aSpendRecord({ source, readAt }))).toBe(isOpen);
  });
});
