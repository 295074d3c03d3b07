// Joining spend records that were stored in different places: the order does not matter, and no observation is lost.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinRecords, type ObservationSource, type SpendRecord } from "../../src/budget/spend.ts";
import { aSpendRecord, largest, NOW, PERIOD_START, RESET, SECOND, usd } from "./builders.ts";

/** The record of a single read of the given dollars that began the given seconds from now. */
function readAlone(dollars: number, seconds: number): SpendRecord {
  const begunAt = NOW + seconds * SECOND;
  return aSpendRecord({ spendNanoUsd: usd(String(dollars)), observedAt: begunAt, readAt: begunAt });
}

/** The record of one observation that is not a read. */
function seenAlone(dollars: number, seconds: number, source: ObservationSource): SpendRecord {
  return { ...readAlone(dollars, seconds), readAt: null, source };
}

function joinAll([first, ...others]: readonly SpendRecord[]): SpendRecord {
  return others.reduce(joinRecords, first ?? aSpendRecord());
}

/** The rule itself, over all reads at once: the highest spend that no later read had 60 s to disprove. */
function spendOf(records: readonly SpendRecord[]): bigint {
  const newestRead = Math.max(...records.map(({ observedAt }) => observedAt));
  const history = records.filter(({ observedAt }) => newestRead - observedAt < 60_000);
  return largest(history.map(({ spendNanoUsd }) => spendNanoUsd));
}

describe("two spend records", () => {
  it("gives the record of the later period", () => {
    const ended = aSpendRecord({ spendNanoUsd: usd("550"), readAt: RESET + SECOND });
    const begun = aSpendRecord({ spendNanoUsd: 0n, periodStartedAt: RESET, observedAt: RESET, readAt: RESET });
    expect(joinRecords(ended, begun)).toEqual(begun);
    expect(joinRecords(begun, ended)).toEqual(begun);
  });

  it("gives the higher spend and the newest read within one period", () => {
    const joined = joinRecords(readAlone(100, 0), { ...readAlone(80, 59), resetsAt: RESET + 5 });
    expect(joined).toEqual({ ...readAlone(100, 0), readAt: NOW + 59 * SECOND, resetsAt: RESET + 5 });
  });

  it("gives the lower spend when a read showed it 60 s or more after the higher one was observed", () => {
    expect(joinRecords(readAlone(100, 0), readAlone(80, 60))).toEqual(readAlone(80, 60));
    expect(joinRecords(readAlone(80, 60), readAlone(100, 0))).toEqual(readAlone(80, 60));
  });

  it("keeps the higher spend when only a webhook or Gate observed less later", () => {
    expect(joinRecords(readAlone(100, 0), seenAlone(80, 300, "gate"))).toEqual(readAlone(100, 0));
  });

  it("keeps the higher spend when its own newest read is as new as the other's", () => {
    const confirmed = { ...readAlone(100, 0), readAt: NOW + 70 * SECOND };
    expect(joinRecords(confirmed, readAlone(80, 70)).spendNanoUsd).toBe(usd("100"));
    expect(joinRecords(readAlone(80, 69), confirmed).spendNanoUsd).toBe(usd("100"));
    expect(joinRecords(readAlone(80, 71), confirmed).spendNanoUsd).toBe(usd("80"));
  });

  it("keeps the newest read after a later observation of another source", () => {
    const joined = joinRecords(readAlone(50, 100), seenAlone(60, 110, "gate"));
    expect(joined).toMatchObject({ spendNanoUsd: usd("60"), source: "gate", readAt: NOW + 100 * SECOND });
    expect(joinRecords(joined, readAlone(99, 30)).spendNanoUsd).toBe(usd("60"));
  });

  it("takes the later observation of the same spend", () => {
    const joined = joinRecords({ ...readAlone(100, 0), readAt: NOW + 40 * SECOND }, readAlone(100, 30));
    expect(joined).toMatchObject({ observedAt: NOW + 30 * SECOND, readAt: NOW + 40 * SECOND });
    expect(joinRecords(joined, readAlone(50, 65)).spendNanoUsd).toBe(usd("100"));
    const confirmedLater = { ...readAlone(100, 0), readAt: NOW + 95 * SECOND };
    expect(joinRecords(confirmedLater, readAlone(100, 30)).observedAt).toBe(NOW + 30 * SECOND);
  });

  it("joins alike in either order, down to the last field, and returns a record joined with itself unchanged", () => {
    fc.assert(
      fc.property(anyRecord, anyRecord, (a, b) => {
        expect(joinRecords(a, b)).toEqual(joinRecords(b, a));
        expect(joinRecords(a, a)).toEqual(a);
        expect(joinRecords(joinRecords(a, b), joinRecords(b, a))).toEqual(joinRecords(a, b));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("any number of spend records", () => {
  it("gives the highest spend that no read disproved within 60 s, while LiteLLM lowers its spend at most once", () => {
    fc.assert(
      fc.property(shuffledReadsWithOneCorrection(), ({ records }) => {
        expect(joinAll(records).spendNanoUsd).toBe(spendOf(records));
      }),
      { numRuns: 3_000 },
    );
  });

  it("gives the same when two halves are joined apart and then with each other", () => {
    fc.assert(
      fc.property(shuffledReadsWithOneCorrection(), fc.nat(), ({ records }, cut) => {
        const middle = 1 + (cut % (records.length - 1));
        const joined = joinRecords(joinAll(records.slice(0, middle)), joinAll(records.slice(middle)));
        expect(joined.spendNanoUsd).toBe(spendOf(records));
      }),
      { numRuns: 3_000 },
    );
  });

  it("gives the spend of a read that began 60 s after every other observation", () => {
    const anyPast = fc.array(anyRecord, { maxLength: 8 });
    fc.assert(
      fc.property(anyPast, fc.nat(8), fc.nat(9), (past, place, dollars) => {
        const last = readAlone(dollars, 1_000);
        const records = past.map((record) => ({ ...record, periodStartedAt: PERIOD_START }));
        records.splice(Math.min(place, records.length), 0, last);
        expect(joinAll(records).spendNanoUsd).toBe(last.spendNanoUsd);
      }),
      { numRuns: 500 },
    );
  });

  it("never gives less than the newest read, nor more than any observation", () => {
    const anyReads = fc.array(fc.tuple(fc.nat(9), fc.nat(200)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(anyReads, (reads) => {
        const records = reads.map(([dollars, seconds]) => readAlone(dollars, seconds));
        const newest = Math.max(...records.map(({ observedAt }) => observedAt));
        const { spendNanoUsd } = joinAll(records);
        for (const record of records.filter(({ observedAt }) => observedAt === newest)) {
          expect(spendNanoUsd >= record.spendNanoUsd).toBe(true);
        }
        expect(records.map((record) => record.spendNanoUsd)).toContain(spendNanoUsd);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Reads of a spend that rises, is lowered once by hand, and rises again; in any order. */
function shuffledReadsWithOneCorrection() {
  const sight = fc.record({ seconds: fc.nat(200), rise: fc.nat(2) });
  return fc
    .record({
      sights: fc.array(sight, { minLength: 2, maxLength: 7 }),
      correctedAt: fc.nat(200),
      keptDollars: fc.nat(3),
      shuffle: fc.infiniteStream(fc.nat()),
    })
    .map(({ sights, correctedAt, keptDollars, shuffle }) => {
      const inTime = sights.toSorted((a, b) => a.seconds - b.seconds);
      let dollars = 5;
      let isCorrected = false;
      const records = inTime.map(({ seconds, rise }) => {
        if (!isCorrected && seconds >= correctedAt) {
          dollars = keptDollars;
          isCorrected = true;
        }
        dollars += rise;
        return readAlone(dollars, seconds);
      });
      const places = records.map((record) => ({ record, place: shuffle.next().value ?? 0 }));
      return { records: places.toSorted((a, b) => a.place - b.place).map(({ record }) => record) };
    });
}

const anySeconds = fc.constantFrom(0, 10, 30, 59, 60, 61, 90, 120, 150).map((seconds) => NOW + seconds * SECOND);

const anyRecord: fc.Arbitrary<SpendRecord> = fc.record({
  spendNanoUsd: fc.bigInt({ min: 0n, max: 3n }),
  observedAt: anySeconds,
  readAt: fc.option(anySeconds, { nil: null }),
  source: fc.constantFrom<ObservationSource>("litellm", "webhook", "events", "gate"),
  periodStartedAt: fc.constantFrom(PERIOD_START, PERIOD_START, PERIOD_START, NOW),
  resetsAt: fc.constantFrom(null, RESET),
  spendRateNanoUsdPerSecond: fc.bigInt({ min: 0n, max: 2n }),
});
