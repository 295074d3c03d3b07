// The verdict: state and reason in every situation, what overrides can never do, and the spend and limits in it.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { isPastReset } from "../../src/budget/period.ts";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import { type State, stateAt, strictest, verdictOn, verdictOnNothing } from "../../src/budget/verdict.ts";
import {
  anInstantAround,
  anOverride,
  anyAlertThreshold,
  anyGraceThreshold,
  anyLimit,
  anyOverride,
  aSpendRecord,
  aTenantConfig,
  DAY,
  NOW,
  PERIOD_START,
  RESET,
  SECOND,
  usd,
} from "./builders.ts";

describe("the state", () => {
  const suspended = { suspendedAt: NOW - DAY };
  const zero = { maxBudgetNanoUsd: 0n };
  const blockedThere = { litellmBlockedAt: NOW - DAY };
  const missing = { subjectMissingAt: NOW - DAY };
  test.each<[string, Partial<TenantConfig>, string | null, State, string]>([
    ["no spend", {}, "0", "ok", "within_budget"],
    ["79.99 percent", {}, "399.999999999", "ok", "within_budget"],
    ["80.00 percent", {}, "400", "warning", "over_threshold"],
    ["a nano-dollar below 100.00 percent", {}, "499.999999999", "warning", "over_threshold"],
    ["100.00 percent", {}, "500", "grace", "over_limit"],
    ["a nano-dollar below 110.00 percent", {}, "549.999999999", "grace", "over_limit"],
    ["110.00 percent", {}, "550", "blocked", "over_grace"],
    ["no spend", {}, null, "unknown", "spend_unknown"],
    ["a suspended tenant without spend", suspended, "0", "blocked", "suspended"],
    ["a suspended tenant over everything", suspended, "999", "blocked", "suspended"],
    ["a suspended tenant without spend", suspended, null, "blocked", "suspended"],
    ["a suspended tenant with limit 0", { ...suspended, ...zero }, "0", "blocked", "suspended"],
    ["limit 0 and no spend", zero, "0", "blocked", "zero_limit"],
    ["limit 0 and spend", zero, "5", "blocked", "zero_limit"],
    ["limit 0 and no spend", zero, null, "blocked", "zero_limit"],
    ["a block in LiteLLM, without spend", blockedThere, null, "blocked", "litellm_blocked"],
    ["a block in LiteLLM, with limit 0", { ...blockedThere, ...zero }, "0", "blocked", "litellm_blocked"],
    ["a suspended tenant that is blocked there too", { ...suspended, ...blockedThere }, "0", "blocked", "suspended"],
    ["a missing subject without spend", missing, null, "unknown", "subject_missing"],
    ["a missing subject with spend", missing, "400", "unknown", "subject_missing"],
    ["a missing subject a nano-dollar below 110.00 percent", missing, "549.999999999", "unknown", "subject_missing"],
    ["a missing subject at 110.00 percent", missing, "550", "blocked", "over_grace"],
    ["a missing subject with limit 0", { ...missing, ...zero }, "0", "blocked", "zero_limit"],
    ["max_budget 0 under an override", { ...zero, overrides: [anOverride()] }, "0", "ok", "within_budget"],
    ["no grace at all", { graceThreshold: 10_000n }, "500", "blocked", "over_grace"],
    ["no warning at all", { alertThreshold: 10_000n }, "499.999999999", "ok", "within_budget"],
    ["neither, at the limit", { alertThreshold: 10_000n, graceThreshold: 10_000n }, "500", "blocked", "over_grace"],
  ])("gives state and reason of the table for %s", (_situation, differences, spend, state, reason) => {
    const observation = spend === null ? null : usd(spend);
    expect(stateAt(aTenantConfig(differences), observation, NOW)).toEqual({ state, reason });
  });

  it("X4: 109.99 percent is allowed, 110.00 percent is blocked", () => {
    const at = (spend: string) => verdictOn(aTenantConfig(), aSpendRecord({ spendNanoUsd: usd(spend) }), NOW, "cache");
    expect(at("549.999999999")).toMatchObject({ allowed: true, state: "grace", spend: { used: 10_999n } });
    expect(at("550")).toMatchObject({ allowed: false, reason: "over_grace", spend: { used: 11_000n } });
  });

  it("never improves with more spend", () => {
    fc.assert(
      fc.property(anyConfig(), anyLimit, anyLimit, anInstantAround, (config, a, b, now) => {
        const [less, more] = a <= b ? [a, b] : [b, a];
        expect(severity(config, more, now)).toBeGreaterThanOrEqual(severity(config, less, now));
      }),
    );
  });

  it("never gets worse by one more override, for any spend, at any moment", () => {
    const spend = fc.option(anyLimit, { nil: null });
    fc.assert(
      fc.property(anyConfig(), anyOverride, spend, anInstantAround, (config, override, observation, now) => {
        const more = { ...config, overrides: [...config.overrides, override] };
        expect(severity(more, observation, now)).toBeLessThanOrEqual(severity(config, observation, now));
      }),
      { numRuns: 500 },
    );
  });

  it("allows a blocked tenant from the instant of the override up to its end", () => {
    const override = anOverride({ createdAt: NOW, expiresAt: NOW + DAY, amountNanoUsd: usd("100") });
    const config = aTenantConfig({ overrides: [override] });
    const states = [NOW - 1, NOW, NOW + DAY - 1, NOW + DAY].map((now) => stateAt(config, usd("552"), now).state);
    expect(states).toEqual(["blocked", "warning", "warning", "blocked"]);
  });
});

describe("the verdict", () => {
  it("carries the spend and limits that it was found by", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("412.5"), observedAt: NOW - DAY, readAt: NOW - 3_999 });
    const config = aTenantConfig({ overrides: [anOverride({ amountNanoUsd: usd("50") })], alertThreshold: 7_500n });
    expect(verdictOn(config, record, NOW, "cache")).toEqual({
      tenantId: "acme",
      allowed: true,
      state: "warning",
      reason: "over_threshold",
      wouldBlock: null,
      enforcement: "enforce",
      source: "cache",
      degraded: false,
      budget: {
        maxBudgetNanoUsd: usd("500"),
        overrideNanoUsd: usd("50"),
        limitNanoUsd: usd("550"),
        blocksAtNanoUsd: usd("605"),
        alertThreshold: 7_500n,
        graceThreshold: 11_000n,
        periodStartedAt: PERIOD_START,
        resetsAt: RESET,
      },
      spend: {
        spendNanoUsd: usd("412.5"),
        used: 7_500n,
        remainingNanoUsd: usd("137.5"),
        asOf: NOW - 3_999,
        ageSeconds: 3,
      },
      refusal: null,
    });
  });

  it("has nothing remaining from the limit on, and no share of a zero limit", () => {
    const over = verdictOn(aTenantConfig(), aSpendRecord({ spendNanoUsd: usd("500") }), NOW, "litellm");
    expect(over.spend?.remainingNanoUsd).toBe(0n);
    expect(verdictOn(aTenantConfig(), aSpendRecord({ spendNanoUsd: usd("600") }), NOW, "litellm").spend).toMatchObject({
      remainingNanoUsd: 0n,
      used: 12_000n,
    });
    const zero = verdictOn(aTenantConfig({ maxBudgetNanoUsd: 0n }), aSpendRecord(), NOW, "cache");
    expect(zero.spend).toMatchObject({ used: null, remainingNanoUsd: 0n });
  });

  it("stays undegraded after a read and from a fresh cache", () => {
    expect(verdictOn(aTenantConfig(), aSpendRecord(), NOW, "litellm")).toMatchObject({
      degraded: false,
      allowed: true,
    });
    expect(verdictOn(aTenantConfig(), aSpendRecord(), NOW, "cache")).toMatchObject({ degraded: false, allowed: true });
  });

  it("never shows a negative age, even for an observation from a clock ahead of ours", () => {
    const record = aSpendRecord({ readAt: NOW + 5 * SECOND });
    expect(verdictOn(aTenantConfig(), record, NOW, "cache").spend?.ageSeconds).toBe(0);
  });

  it("takes the age from the newest confirmation, be it a read or another observation", () => {
    const seen = aSpendRecord({ observedAt: NOW - 2 * SECOND, readAt: NOW - 40 * SECOND, source: "events" });
    expect(verdictOn(aTenantConfig(), seen, NOW, "cache").spend).toMatchObject({
      ageSeconds: 2,
      asOf: NOW - 2 * SECOND,
    });
    const never = aSpendRecord({ observedAt: NOW - 2 * SECOND, readAt: null, source: "gate" });
    expect(verdictOn(aTenantConfig(), never, NOW, "cache").spend?.ageSeconds).toBe(2);
  });

  it("keeps the state past the reset, until LiteLLM shows its own", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("550") });
    expect(verdictOn(aTenantConfig(), record, RESET + DAY, "cache")).toMatchObject({
      allowed: false,
      reason: "over_grace",
    });
  });
});

describe("observe", () => {
  const observing = aTenantConfig({ enforcement: "observe" });

  it("allows a tenant whatever it spends, and shows the verdict of enforce", () => {
    const blocked = verdictOn(observing, aSpendRecord({ spendNanoUsd: usd("550") }), NOW, "cache");
    expect(blocked).toMatchObject({ allowed: true, wouldBlock: true, state: "blocked", reason: "over_grace" });
    const fine = verdictOn(observing, aSpendRecord({ spendNanoUsd: usd("549.99") }), NOW, "cache");
    expect(fine).toMatchObject({ allowed: true, wouldBlock: false, state: "grace" });
  });

  it("refuses a suspended tenant under observe too, because a suspension is an explicit act", () => {
    const suspended = { ...observing, suspendedAt: NOW - DAY };
    expect(verdictOn(suspended, aSpendRecord(), NOW, "cache")).toMatchObject({ allowed: false, wouldBlock: true });
  });

  it("allows a key that another than Bursar has blocked in LiteLLM, which refuses it by itself", () => {
    const blocked = { state: "blocked", reason: "litellm_blocked", source: "cache", degraded: false };
    const judge = (config: Partial<TenantConfig>) =>
      verdictOn(aTenantConfig({ litellmBlockedAt: NOW, ...config }), aSpendRecord(), NOW, "cache");
    expect(judge({})).toMatchObject({ ...blocked, allowed: false });
    expect(judge({ enforcement: "observe" })).toMatchObject({ ...blocked, allowed: true, wouldBlock: true });
  });
});

describe("a period", () => {
  it("a period is past from the instant of its reset, and never without one", () => {
    expect(isPastReset({ resetsAt: RESET }, RESET - 1)).toBe(false);
    expect(isPastReset({ resetsAt: RESET }, RESET)).toBe(true);
    expect(isPastReset({ resetsAt: null }, RESET + 9_999 * DAY)).toBe(false);
  });
});

function anyConfig(): fc.Arbitrary<TenantConfig> {
  return fc
    .record({
      maxBudgetNanoUsd: fc.oneof(fc.constant(0n), anyLimit),
      alertThreshold: anyAlertThreshold,
      graceThreshold: anyGraceThreshold,
      suspendedAt: fc.constantFrom(null, null, null, NOW - DAY),
      overrides: fc.array(anyOverride, { maxLength: 3 }),
    })
    .map(aTenantConfig);
}

const BY_SEVERITY: readonly State[] = ["ok", "warning", "grace", "unknown", "blocked"];

function severity(config: TenantConfig, spend: bigint | null, now: number): number {
  return BY_SEVERITY.indexOf(stateAt(config, spend, now).state);
}

describe("the strictest of two verdicts", () => {
  const spent = (decimal: string, differences: Partial<TenantConfig> = {}) =>
    verdictOn(aTenantConfig(differences), aSpendRecord({ spendNanoUsd: usd(decimal) }), NOW, "cache");
  const observe = { enforcement: "observe" } as const;

  test.each([
    ["a refusal before a higher spend that is allowed", spent("550"), spent("5000", observe)],
    ["the higher state of two that are allowed", spent("400"), spent("1")],
    ["a known state before an unknown one", spent("1"), verdictOnNothing(aTenantConfig().tenantId, "open")],
  ])("counts %s, in either order", (_, strict, lenient) => {
    expect(strictest(strict, lenient)).toBe(strict);
    expect(strictest(lenient, strict)).toBe(strict);
  });

  it("counts the first of two equal ones", () => {
    const [first, second] = [spent("1"), spent("2")];
    expect(strictest(first, second)).toBe(first);
  });
});
