// The spend rate: how it is measured from one read to the next, and how it decays.

import { describe, expect, it, test } from "vitest";
import type { Period } from "../../src/budget/period.ts";
import { mergeRead, type SpendRead, type SpendRecord } from "../../src/budget/spend.ts";
import { aRead, aSpendRecord, NOW, PERIOD_START, RESET, usd } from "./builders.ts";

/** Into a record of a tenant that no spend blocks. */
const merge = (known: SpendRecord | null, read: SpendRead, period: Period) => mergeRead(known, read, period, 0n);

/** The spend rate after a read of `dollars`, this many seconds after the record was last confirmed. */
function spendRateAfter(dollars: string, seconds: number, known: SpendRecord = aSpendRecord()): bigint {
  const read = aRead({ spendNanoUsd: usd(dollars), begunAt: NOW + seconds * 1_000 });
  return merge(known, read, { startedAt: PERIOD_START, resetsAt: RESET }).spendRateNanoUsdPerSecond;
}

const spending = aSpendRecord({ spendRateNanoUsdPerSecond: usd("8") });

describe("the spend rate", () => {
  it("measures the rise since the last confirmation, per second", () => {
    expect(spendRateAfter("130", 20)).toBe(usd("1.5"));
  });

  it("measures from the last confirmation, not from the first observation of the spend", () => {
    const confirmed = aSpendRecord({ observedAt: NOW - 500_000, readAt: NOW });
    expect(spendRateAfter("130", 20, confirmed)).toBe(usd("1.5"));
  });

  test.each([1, 5, 10])(
    "spreads a rise observed after %i s over at least the 10 s in which LiteLLM writes",
    (seconds) => {
      expect(spendRateAfter("130", seconds)).toBe(usd("3"));
    },
  );

  it("adds up steady calls in many small steps to their rate", () => {
    let known = aSpendRecord();
    for (let call = 1; call <= 600; call++) {
      const spendNanoUsd = usd("100") + usd("0.5") * BigInt(call);
      known = merge(known, aRead({ spendNanoUsd, begunAt: NOW + call * 500 }), {
        startedAt: PERIOD_START,
        resetsAt: RESET,
      });
    }
    expect(Number(known.spendRateNanoUsdPerSecond) / 1e9).toBeCloseTo(1 - 2 ** -5, 2);
  });

  it("halves the rate per minute without a rise", () => {
    expect(spendRateAfter("100", 60, spending)).toBe(usd("4"));
    expect(spendRateAfter("100", 120, spending)).toBe(usd("2"));
    expect(spendRateAfter("90", 60, spending)).toBe(usd("4"));
  });

  it("averages the old rate with a lower one, and follows a higher one at once", () => {
    expect(spendRateAfter("400", 60, spending)).toBe(usd("6.5"));
    expect(spendRateAfter("160", 60, spending)).toBe(usd("4.5"));
    expect(spendRateAfter("1000", 60, spending)).toBe(usd("15"));
  });

  it("decays to zero after an hour without a rise", () => {
    expect(spendRateAfter("100", 3_600, spending)).toBeLessThan(usd("0.000001"));
  });

  it("ignores a read that is not the newest", () => {
    expect(spendRateAfter("200", -5, spending)).toBe(usd("8"));
  });
});
