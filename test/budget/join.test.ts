// Joining copies of the spend record: the order does not matter, and a later period or epoch replaces what came before.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinRecords, type ObservationSource, type SpendRecord } from "../../src/budget/spend.ts";
import { aSpendRecord, largest, NOW, PERIOD_START, RESET, SECOND, usd } from "./builders.ts";

/** The record of a single read of the given dollars that began the given seconds from now. */
function readAlone(dollars: number, seconds: number): SpendRecord {
  const begunAt = NOW + seconds * SECOND;
  return aSpendRecord({ spendNanoUsd: usd(String(dollars)), observedAt: begunAt, readAt: begunAt });
}

function joinAll([first, ...others]: readonly SpendRecord[]): SpendRecord {
  return others.reduce(joinRecords, first ?? aSpendRecord());
}

describe("two copies of a spend record", () => {
  it("give the one of the later period, whatever its epoch", () => {
    const ended = aSpendRecord({ spendNanoUsd: usd("550"), readAt: RESET + SECOND, epoch: 9 });
    const begun = aSpendRecord({ spendNanoUsd: 0n, periodStartedAt: RESET, observedAt: RESET, readAt: RESET });
    expect(joinRecords(ended, begun)).toEqual(begun);
    expect(joinRecords(begun, ended)).toEqual(begun);
  });

  it("give the one of the later epoch within a period, however much less it shows", () => {
    const corrected = { ...readAlone(3, 60), epoch: 2 };
    expect(joinRecords(readAlone(100, 90), corrected)).toEqual(corrected);
    expect(joinRecords(corrected, readAlone(100, 90))).toEqual(corrected);
  });

  it("give the higher spend and the newest read within one epoch", () => {
    const joined = joinRecords(readAlone(100, 0), { ...readAlone(80, 3_600), resetsAt: RESET + 5 });
    expect(joined).toEqual({ ...readAlone(100, 0), readAt: NOW + 3_600 * SECOND, resetsAt: RESET + 5 });
  });

  it("give the later observation of the same spend", () => {
    const joined = joinRecords({ ...readAlone(100, 0), readAt: NOW + 40 * SECOND }, readAlone(100, 30));
    expect(joined).toMatchObject({ observedAt: NOW + 30 * SECOND, readAt: NOW + 40 * SECOND });
  });
});

describe("any number of copies", () => {
  it("join alike in every order and grouping, down to the last field", () => {
    fc.assert(
      fc.property(anyRecord, anyRecord, anyRecord, (a, b, c) => {
        expect(joinRecords(a, b)).toEqual(joinRecords(b, a));
        expect(joinRecords(joinRecords(a, b), c)).toEqual(joinRecords(a, joinRecords(b, c)));
        expect(joinRecords(a, a)).toEqual(a);
      }),
      { numRuns: 3_000 },
    );
  });

  it("give the highest spend of the latest epoch of the latest period", () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 8 }), (records) => {
        const period = Math.max(...records.map(({ periodStartedAt }) => periodStartedAt));
        const ofPeriod = records.filter(({ periodStartedAt }) => periodStartedAt === period);
        const epoch = Math.max(...ofPeriod.map((record) => record.epoch));
        const ofEpoch = ofPeriod.filter((record) => record.epoch === epoch);
        expect(joinAll(records).spendNanoUsd).toBe(largest(ofEpoch.map(({ spendNanoUsd }) => spendNanoUsd)));
      }),
      { numRuns: 1_000 },
    );
  });
});

const anySeconds = fc.constantFrom(0, 10, 60, 90).map((seconds) => NOW + seconds * SECOND);

const anyRecord: fc.Arbitrary<SpendRecord> = fc.record({
  spendNanoUsd: fc.bigInt({ min: 0n, max: 3n }),
  observedAt: anySeconds,
  readAt: fc.option(anySeconds, { nil: null }),
  source: fc.constantFrom<ObservationSource>("litellm", "webhook", "events", "gate"),
  periodStartedAt: fc.constantFrom(PERIOD_START, PERIOD_START, PERIOD_START, NOW),
  resetsAt: fc.constantFrom(null, RESET),
  spendRateNanoUsdPerSecond: fc.bigInt({ min: 0n, max: 2n }),
  epoch: fc.constantFrom(0, 1, 1, 1, 2),
});
