// The thresholds between the states, checked against exact rational arithmetic: for any limit, any threshold and any
// spend, and for spend that arrives as JSON doubles.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { limitAt } from "../../src/budget/limit.ts";
import { nanoUsdFromNumber, percentNumber, usdNumber } from "../../src/budget/money.ts";
import type { State } from "../../src/budget/verdict.ts";
import { verdictOn } from "../../src/budget/verdict.ts";
import { anyAlertThreshold, anyGraceThreshold, anyLimit, aSpendRecord, aTenantConfig, NOW, usd } from "./builders.ts";

interface Figures {
  limit: bigint;
  spend: bigint;
  alert?: bigint;
  grace?: bigint;
}

/** The verdict as a caller sees it. */
function verdictFor({ limit, spend, alert = 8_000n, grace = 11_000n }: Figures) {
  const config = aTenantConfig({ maxBudgetNanoUsd: limit, alertThreshold: alert, graceThreshold: grace });
  const verdict = verdictOn(config, aSpendRecord({ spendNanoUsd: spend }), NOW, "cache");
  return { ...verdict, used: verdict.spend?.used ?? null, config };
}

/** Says the rule in fractions: spend / limit against threshold / 100, nothing rounded. */
function stateByFractions({ limit, spend, alert = 8_000n, grace = 11_000n }: Figures): State {
  if (spend * 10_000n >= limit * grace) return "blocked";
  if (spend >= limit) return "grace";
  return spend * 10_000n >= limit * alert ? "warning" : "ok";
}

const LIMITS = [
  "0.000000001",
  "0.000000007",
  "0.01",
  "0.1",
  "0.3",
  "1",
  "3",
  "7.77",
  "33.333333333",
  "500",
  "999999.99",
];

describe("under the default thresholds", () => {
  test.each(LIMITS)("a limit of %s changes the state exactly at 80.00, 100.00 and 110.00 percent", (text) => {
    const limit = usd(text);
    const stateAtPercent = (points: bigint) => verdictFor({ limit, spend: ceilOf(limit * points) }).state;
    const stateBelowPercent = (points: bigint) => verdictFor({ limit, spend: ceilOf(limit * points) - 1n }).state;
    expect(stateAtPercent(8_000n)).toBe(stateByFractions({ limit, spend: ceilOf(limit * 8_000n) }));
    expect(stateBelowPercent(8_000n)).toBe("ok");
    expect(stateAtPercent(10_000n)).toBe("grace");
    expect(stateBelowPercent(10_000n)).not.toBe("grace");
    expect(stateAtPercent(11_000n)).toBe("blocked");
    expect(stateBelowPercent(11_000n)).toBe("grace");
  });

  const PERCENTS = [
    ["79.99", "ok", 79.99],
    ["80.00", "warning", 80],
    ["99.99", "warning", 99.99],
    ["100.00", "grace", 100],
    ["109.99", "grace", 109.99],
    ["110.00", "blocked", 110],
  ] as const;
  const TABLE = ["0.01", "1", "3", "7.77", "500", "1234.56", "1000000000"].flatMap((limit) =>
    PERCENTS.map(([percent, state, used]) => [limit, percent, state, used] as const),
  );
  test.each(TABLE)(
    "a limit of %s at %s percent gives the state %s and shows %d percent",
    (limit, percent, state, used) => {
      const spend = (usd(limit) * usd(percent)) / usd("100");
      const verdict = verdictFor({ limit: usd(limit), spend });
      expect(verdict.state).toBe(state);
      expect(verdict.allowed).toBe(state !== "blocked");
      expect(percentNumber(verdict.used ?? -1n)).toBe(used);
    },
  );
});

describe("for any limit and any threshold", () => {
  const anyAmounts = fc.record({ limit: anyLimit, alert: anyAlertThreshold, grace: anyGraceThreshold });

  it("matches exact fractions at every threshold and one nano-dollar to either side", () => {
    fc.assert(
      fc.property(anyAmounts, ({ limit, alert, grace }) => {
        const lines = [alert, 10_000n, grace].map((points) => ceilOf(limit * points));
        for (const spend of lines.flatMap((line) => [line - 1n, line, line + 1n])) {
          const observations = { limit, alert, grace, spend };
          expect(verdictFor(observations).state).toBe(stateByFractions(observations));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("matches exact fractions for any spend", () => {
    fc.assert(
      fc.property(anyAmounts, anyLimit, (observations, spend) => {
        expect(verdictFor({ ...observations, spend }).state).toBe(stateByFractions({ ...observations, spend }));
      }),
    );
  });

  it("blocks at each threshold from 100.00 to 150.00 in steps of 0.01, and not a nano-dollar below", () => {
    for (let grace = 10_000n; grace <= 15_000n; grace += 1n) {
      const limit = usd("333.333333337");
      const spend = ceilOf(limit * grace);
      expect(verdictFor({ limit, grace, spend }).allowed).toBe(false);
      expect(verdictFor({ limit, grace, spend: spend - 1n }).allowed).toBe(true);
    }
  });

  it("alerts at each threshold from 50.00 to 100.00 in steps of 0.01, and not a nano-dollar below", () => {
    for (let alert = 5_000n; alert <= 10_000n; alert += 1n) {
      const limit = usd("333.333333337");
      const spend = ceilOf(limit * alert);
      expect(verdictFor({ limit, alert, spend }).state).not.toBe("ok");
      expect(verdictFor({ limit, alert, spend: spend - 1n }).state).toBe("ok");
    }
  });

  it("never shows the block percentage while allowed, nor less while blocked", () => {
    fc.assert(
      fc.property(anyAmounts, fc.bigInt({ min: -2n, max: 2n }), ({ limit, alert, grace }, offset) => {
        const spend = ceilOf(limit * grace) + offset;
        const verdict = verdictFor({ limit, alert, grace, spend });
        expect(percentNumber(verdict.used ?? -1n) >= percentNumber(grace)).toBe(!verdict.allowed);
      }),
    );
  });

  it("never shows the alert percentage while silent, nor less while alerting", () => {
    fc.assert(
      fc.property(anyAmounts, fc.bigInt({ min: -2n, max: 2n }), ({ limit, alert, grace }, offset) => {
        const spend = ceilOf(limit * alert) + offset;
        const verdict = verdictFor({ limit, alert, grace, spend });
        expect(percentNumber(verdict.used ?? -1n) >= percentNumber(alert)).toBe(verdict.state !== "ok");
      }),
    );
  });

  it("sets blocks_at to the least spend that is blocked", () => {
    fc.assert(
      fc.property(anyAmounts, ({ limit, alert, grace }) => {
        const { config } = verdictFor({ limit, alert, grace, spend: 0n });
        const { blocksAtNanoUsd } = limitAt(config, NOW);
        expect(verdictFor({ limit, alert, grace, spend: blocksAtNanoUsd }).allowed).toBe(false);
        expect(verdictFor({ limit, alert, grace, spend: blocksAtNanoUsd - 1n }).allowed).toBe(true);
      }),
    );
  });
});

describe("for spend that arrives as a JSON double", () => {
  it("0.1 + 0.2 reaches 100 percent of 0.3 and 80 percent of 0.375", () => {
    const spend = nanoUsdFromNumber(0.1 + 0.2) ?? -1n;
    expect(verdictFor({ limit: usd("0.3"), spend }).used).toBe(10_000n);
    expect(verdictFor({ limit: usd("0.375"), spend }).state).toBe("warning");
  });

  it("reaches a threshold that a sum of doubles misses by its rounding alone", () => {
    const sum = Array.from({ length: 10 }, () => 0.1).reduce((total, cost) => total + cost, 0);
    expect(sum).toBeLessThan(1);
    expect(verdictFor({ limit: usd("1"), spend: nanoUsdFromNumber(sum) ?? -1n }).state).toBe("grace");
  });

  it("treats any sum of costs in whole micro-dollars as if it had been added exactly", () => {
    const costs = fc.array(fc.integer({ min: 1, max: 2_000_000 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(costs, anyGraceThreshold, fc.integer({ min: -1, max: 1 }), (micros, grace, offset) => {
        const exact = micros.reduce((sum, cost) => sum + BigInt(cost) * 1_000n, 0n);
        const float = micros.reduce((sum, cost) => sum + cost / 1e6, 0);
        // A limit whose block threshold is the sum, or a nano-dollar above or below it.
        const limit = (exact * 10_000n) / grace + BigInt(offset);
        fc.pre(limit > 0n);
        const observations = { limit, grace, spend: nanoUsdFromNumber(float) ?? -1n };
        expect(verdictFor(observations).state).toBe(stateByFractions({ limit, grace, spend: exact }));
      }),
    );
  });

  it("gives the same state after spend is written to JSON and parsed again, up to a million dollars", () => {
    const upToAMillion = fc.bigInt({ min: 1n, max: 10n ** 15n });
    fc.assert(
      fc.property(upToAMillion, anyGraceThreshold, (limit, grace) => {
        for (const spend of [ceilOf(limit * grace) - 1n, ceilOf(limit * grace)]) {
          const back = nanoUsdFromNumber(usdNumber(spend)) ?? -1n;
          expect(verdictFor({ limit, grace, spend: back }).state).toBe(verdictFor({ limit, grace, spend }).state);
        }
      }),
    );
  });
});

function ceilOf(tenThousandths: bigint): bigint {
  return (tenThousandths + 9_999n) / 10_000n;
}
