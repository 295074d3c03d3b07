// How long spend stays fresh, and whether a read comes first, in the background, or not at all.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { freshForMs, isServable, planRefresh, type RefreshPlan } from "../../src/budget/freshness.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import {
  anOverride,
  anyLimit,
  aSpendRecord,
  aTenantConfig,
  DAY,
  MINUTE,
  NOW,
  PERIOD_START,
  RESET,
  SECOND,
  usd,
} from "./builders.ts";

const anySpendRate = fc.oneof(fc.constant(0n), anyLimit);

interface Situation {
  config?: Partial<TenantConfig>;
  record?: Partial<SpendRecord>;
  /** How long ago the spend was confirmed. */
  ageMs?: number;
  demandedMaxAgeMs?: number | null;
  random?: number;
  now?: number;
}

function plan(situation: Situation): RefreshPlan {
  const { config = {}, record = {}, ageMs = 0, demandedMaxAgeMs = null, random = 0, now = NOW } = situation;
  const seenAt = now - ageMs;
  const known = aSpendRecord({ observedAt: seenAt, readAt: seenAt, ...record });
  return planRefresh(aTenantConfig(config), known, now, { demandedMaxAgeMs, random });
}

describe("fresh spend", () => {
  test.each([
    ["half the time until the block threshold", "450", "1", 50_000],
    ["60 s at most", "450", "0.5", 60_000],
    ["60 s without a spend rate", "549.99", "0", 60_000],
    ["5 s at least", "450", "99", 5_000],
    ["5 s when the block threshold is reached", "550", "0", 5_000],
    ["5 s when the block threshold is passed", "999", "7", 5_000],
  ])("%s", (_rule, spend, spendRate, ms) => {
    const record = aSpendRecord({ spendNanoUsd: usd(spend), spendRateNanoUsdPerSecond: usd(spendRate) });
    expect(freshForMs(aTenantConfig(), record, NOW)).toBe(ms);
  });

  it("stays fresh longer while an override raises the block threshold", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("540"), spendRateNanoUsdPerSecond: usd("1") });
    const config = aTenantConfig({ overrides: [anOverride({ amountNanoUsd: usd("50"), expiresAt: NOW + DAY })] });
    expect(freshForMs(config, record, NOW)).toBe(32_500);
    expect(freshForMs(config, record, NOW + DAY)).toBe(5_000);
  });

  it("stays fresh for 5 s to 60 s, whatever the amounts", () => {
    fc.assert(
      fc.property(anyLimit, anyLimit, anySpendRate, (maxBudgetNanoUsd, spendNanoUsd, spendRateNanoUsdPerSecond) => {
        const record = aSpendRecord({ spendNanoUsd, spendRateNanoUsdPerSecond });
        const freshMs = freshForMs(aTenantConfig({ maxBudgetNanoUsd }), record, NOW);
        expect(freshMs).toBeGreaterThanOrEqual(5_000);
        expect(freshMs).toBeLessThanOrEqual(60_000);
      }),
    );
  });

  it("never stays fresh longer at a higher spend rate or a higher spend", () => {
    fc.assert(
      fc.property(
        anyLimit,
        anyLimit,
        anySpendRate,
        anyLimit,
        anySpendRate,
        (maxBudgetNanoUsd, spend, spendRate, spent, faster) => {
          const config = aTenantConfig({ maxBudgetNanoUsd });
          const less = aSpendRecord({ spendNanoUsd: spend, spendRateNanoUsdPerSecond: spendRate });
          const more = aSpendRecord({ spendNanoUsd: spend + spent, spendRateNanoUsdPerSecond: spendRate + faster });
          expect(freshForMs(config, more, NOW)).toBeLessThanOrEqual(freshForMs(config, less, NOW));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("stays fresh at most half the time to the block threshold, when that is more than 5 s", () => {
    fc.assert(
      fc.property(anyLimit, anyLimit, fc.bigInt({ min: 5_000n, max: 60_000n }), (limit, spendRate, halfWayMs) => {
        const config = aTenantConfig({ maxBudgetNanoUsd: limit, graceThreshold: 10_000n });
        const remaining = (spendRate * halfWayMs) / 500n;
        fc.pre(remaining < limit);
        const record = aSpendRecord({ spendNanoUsd: limit - remaining, spendRateNanoUsdPerSecond: spendRate });
        const spentMs = 2n * BigInt(freshForMs(config, record, NOW));
        expect(spendRate * spentMs <= remaining * 1_000n || spentMs === 10_000n).toBe(true);
      }),
    );
  });
});

describe("a read", () => {
  it("reads first when no spend is known", () => {
    const nothing = planRefresh(aTenantConfig(), null, NOW, { demandedMaxAgeMs: null, random: 0.5 });
    expect(nothing).toEqual({ mode: "first", exclusiveSeconds: 5 });
  });

  test.each([
    ["is not needed while the spend is fresh", 59_999, "none"],
    ["runs in the background from then on", 60_000, "behind"],
    ["runs in the background up to 10 min", 600_000, "behind"],
    ["comes first when the spend is older than 10 min", 600_001, "first"],
    ["is not needed for spend from a clock that is ahead", -30_000, "none"],
  ])("%s", (_rule, ageMs, mode) => {
    expect(plan({ ageMs })).toEqual({ mode, exclusiveSeconds: 5 });
  });

  it("allows another check's cached spend up to an age of 10 min", () => {
    expect(isServable(aTenantConfig(), aSpendRecord({ readAt: NOW }), NOW + 600_000)).toBe(true);
    expect(isServable(aTenantConfig(), aSpendRecord({ readAt: NOW }), NOW + 600_001)).toBe(false);
  });

  test.each([
    ["comes first when the burst of 5 s would reach the threshold exactly", "540", "2", 5_000, "first"],
    ["is not needed for 5 s after a read", "540", "2", 4_999, "none"],
    ["runs in the background when the burst of 5 s stops a nano-dollar short", "539.999999999", "2", 5_000, "behind"],
    ["comes first when the spend rate over the spend's age would reach the threshold", "490", "2", 30_000, "first"],
    ["runs in the background when that would stop a nano-dollar short", "489.999999999", "2", 30_000, "behind"],
    ["does not come first once the threshold is reached", "550", "2", 0, "none"],
    ["does not come first without a spend rate, however little is left", "549.999999999", "0", 0, "none"],
  ])("near the block threshold a read %s", (_rule, spend, spendRate, ageMs, mode) => {
    const record = { spendNanoUsd: usd(spend), spendRateNanoUsdPerSecond: usd(spendRate) };
    expect(plan({ record, ageMs }).mode).toBe(mode);
  });

  it("reads first when the config knows a later period", () => {
    const record = { periodStartedAt: PERIOD_START - DAY };
    expect(plan({ record })).toEqual({ mode: "first", exclusiveSeconds: 5 });
    expect(plan({ record, config: { litellmKeyLastReset: null } }).mode).toBe("none");
  });

  test.each([
    [0, 0, "none", 5],
    [1, 0, "first", 1],
    [10_000, 10_000, "none", 5],
    [10_001, 10_000, "first", 1],
    [60_000, 90_000, "behind", 5],
  ])(
    "spend %i ms old with max-age %i ms plans the read %s, at most one in %i s",
    (ageMs, demandedMaxAgeMs, mode, seconds) => {
      expect(plan({ ageMs, demandedMaxAgeMs })).toEqual({ mode, exclusiveSeconds: seconds });
    },
  );

  it("never postpones a read at a higher age, a higher spend rate or a stricter max-age", () => {
    const rank = { none: 0, behind: 1, first: 2 };
    const anyAge = fc.nat(700_000);
    fc.assert(
      fc.property(
        anyAge,
        anyAge,
        anySpendRate,
        anySpendRate,
        anyAge,
        (ageMs, olderMs, spendRate, more, demandedMaxAgeMs) => {
          const calm = { ageMs, record: { spendRateNanoUsdPerSecond: spendRate }, demandedMaxAgeMs };
          const older = { ...calm, ageMs: ageMs + olderMs };
          const faster = { ...calm, record: { spendRateNanoUsdPerSecond: spendRate + more } };
          const stricter = { ...calm, demandedMaxAgeMs: Math.max(0, demandedMaxAgeMs - olderMs) };
          for (const situation of [older, faster, stricter]) {
            expect(rank[plan(situation).mode]).toBeGreaterThanOrEqual(rank[plan(calm).mode]);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("past the reset", () => {
  test.each([
    ["comes first when the spend is from before it", { now: RESET, ageMs: 1 }, "first"],
    ["is not needed when the spend was read at that very instant", { now: RESET, ageMs: 0 }, "none"],
    ["is not needed for 15 s after one that has seen it", { now: RESET + MINUTE, ageMs: 14_999 }, "none"],
    ["runs in the background after 15 s", { now: RESET + MINUTE, ageMs: 15_000 }, "behind"],
    [
      "is jittered: with the highest jitter not before 22.5 s",
      { now: RESET + MINUTE, ageMs: 22_400, random: 0.999 },
      "none",
    ],
    ["is jittered: with the highest jitter at 22.5 s", { now: RESET + MINUTE, ageMs: 22_500, random: 0.999 }, "behind"],
    [
      "is not hurried by the caller's Cache-Control",
      { now: RESET + MINUTE, ageMs: 9_000, demandedMaxAgeMs: 0 },
      "none",
    ],
    ["runs in the background up to 10 min", { now: RESET + DAY, ageMs: 600_000 }, "behind"],
    ["comes first after 10 min without a read", { now: RESET + DAY, ageMs: 600_001 }, "first"],
  ])("a read %s", (_rule, situation, mode) => {
    expect(plan(situation)).toEqual({ mode, exclusiveSeconds: 15 });
  });

  it("begins at the instant of the reset and not before", () => {
    expect(plan({ now: RESET - 1, ageMs: 30 * SECOND })).toEqual({ mode: "none", exclusiveSeconds: 5 });
    expect(plan({ now: RESET, ageMs: 30 * SECOND })).toEqual({ mode: "first", exclusiveSeconds: 15 });
  });

  it("never begins for a budget that never resets", () => {
    expect(plan({ now: RESET + DAY, ageMs: 1, record: { resetsAt: null } }).mode).toBe("none");
  });
});

describe("spend that no read has shown", () => {
  const reported = aSpendRecord({ readAt: null, source: "webhook" });
  const caller = { demandedMaxAgeMs: null, random: 0 };

  it("causes a read behind the answer, however young it is", () => {
    expect(planRefresh(aTenantConfig(), reported, NOW, caller).mode).toBe("behind");
  });

  it("waits for a read once its period is over", () => {
    const ended = { ...reported, resetsAt: NOW };
    expect(planRefresh(aTenantConfig(), ended, NOW, caller).mode).toBe("first");
  });
});

describe("counted spend", () => {
  it("causes a read behind the answer when its last read is a minute old, because a call's event may be lost", () => {
    const caller = { demandedMaxAgeMs: null, random: 0 };
    const counted = (ageMs: number) => aSpendRecord({ source: "events", observedAt: NOW, readAt: NOW - ageMs });
    expect(planRefresh(aTenantConfig(), counted(59_999), NOW, caller).mode).toBe("none");
    expect(planRefresh(aTenantConfig(), counted(60_000), NOW, caller).mode).toBe("behind");
  });
});
