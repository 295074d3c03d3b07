// The alerts that a spend calls for: level-triggered, each recorded once, with a notice for the highest only.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import { acme, find, historyAfter, summaryOf } from "./alert-evaluations.ts";
import {
  anOverride,
  anyAlertThreshold,
  anyGraceThreshold,
  anyLimit,
  aSpendRecord,
  DAY,
  MINUTE,
  NOW,
  PERIOD_START,
  RESET,
  usd,
} from "./builders.ts";

describe("a threshold", () => {
  it.each([
    ["X3: 79.99 percent is silent", "399.999999999", []],
    ["X3: 80.00 percent alerts", "400", ["threshold_crossed announced"]],
    ["99.99 percent is no crossing of the budget", "499.999999999", ["threshold_crossed announced"]],
    ["100 percent", "500", ["threshold_crossed silent", "budget_crossed announced"]],
    ["109.99 percent is not blocked", "549.999999999", ["threshold_crossed silent", "budget_crossed announced"]],
    ["110.00 percent is", "550", ["threshold_crossed silent", "budget_crossed silent", "budget_blocked announced"]],
  ])("%s", (_, spend, expected) => {
    expect(summaryOf(find(spend))).toEqual(expected);
  });

  it("records the spend, the limit and the period of the alert", () => {
    const overrides = [anOverride({ amountNanoUsd: usd("100") })];
    const [draft] = find("500", { config: { ...acme, overrides } });
    expect(draft).toMatchObject({
      spendNanoUsd: usd("500"),
      maxBudgetNanoUsd: usd("500"),
      limitNanoUsd: usd("600"),
      used: 8_333n,
      threshold: 8_000n,
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
      limitVersion: 2,
      occurrence: 0,
    });
  });

  it("X1: a limit of zero is blocked, and has no percentages", () => {
    const drafts = find("0", { config: { ...acme, maxBudgetNanoUsd: 0n } });
    expect(summaryOf(drafts)).toEqual(["budget_blocked announced"]);
    expect(drafts[0]?.used).toBeNull();
  });

  it("records a threshold whatever was known before, so no writer can lose a crossing", () => {
    fc.assert(
      fc.property(
        anyLimit,
        anyAlertThreshold,
        anyGraceThreshold,
        fc.bigInt(0n, 3n * 10n ** 18n),
        (max, a, g, spend) => {
          const config = { ...acme, maxBudgetNanoUsd: max, alertThreshold: a, graceThreshold: g };
          const record = aSpendRecord({ spendNanoUsd: spend });
          const first = find("0", { config, record });
          const exceeded = [a, 10_000n, g].filter((threshold) => spend * 10_000n >= max * threshold).length;
          expect(first).toHaveLength(exceeded);
          expect(first.filter(({ isSilent }) => !isSilent)).toHaveLength(exceeded > 0 ? 1 : 0);
          expect(find("0", { config, record, history: historyAfter(first, config) })).toEqual([]);
          for (const missing of first) {
            const rest = historyAfter(
              first.filter((draft) => draft !== missing),
              config,
            );
            expect(find("0", { config, record, history: rest })).toEqual([{ ...missing, isSilent: false }]);
          }
        },
      ),
    );
  });
});

describe("recorded once", () => {
  it("N1: the same crossing is not alerted again, however often it is observed", () => {
    expect(find("420", { history: historyAfter(find("400")) })).toEqual([]);
  });

  it("announces only the next threshold after the first one", () => {
    expect(summaryOf(find("510", { history: historyAfter(find("400")) }))).toEqual(["budget_crossed announced"]);
  });

  it("re-arms every threshold in a new period", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("400"), periodStartedAt: RESET, resetsAt: RESET + 31 * DAY });
    expect(summaryOf(find("0", { record, history: historyAfter(find("400")) }))).toEqual([
      "threshold_crossed announced",
    ]);
  });

  it("records the thresholds that an adopted tenant already exceeds, without a notice", () => {
    const drafts = find("550", { isBaseline: true });
    expect(summaryOf(drafts)).toEqual(["threshold_crossed silent", "budget_crossed silent", "budget_blocked silent"]);
  });

  it("announces the next threshold after a baseline", () => {
    const baseline = find("410", { isBaseline: true });
    expect(summaryOf(find("510", { history: historyAfter(baseline) }))).toEqual(["budget_crossed announced"]);
  });
});

describe("a new limit version", () => {
  const raised: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("520"), configVersion: 2 };
  const doubled: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("1000"), configVersion: 2 };

  it("suppresses a threshold that was announced before and is still exceeded", () => {
    const drafts = find("450", { config: raised, history: historyAfter(find("450")) });
    expect(summaryOf(drafts)).toEqual(["threshold_crossed silent"]);
    expect(drafts[0]?.limitVersion).toBe(2);
  });

  it("announces a threshold that was not announced before", () => {
    const lowered: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("440"), configVersion: 2 };
    const drafts = find("450", { config: lowered, history: historyAfter(find("450")) });
    expect(summaryOf(drafts)).toEqual(["threshold_crossed silent", "budget_crossed announced"]);
  });

  it("re-arms a threshold that is no longer exceeded, and announces it when it is reached again", () => {
    const { alerts } = historyAfter(find("450"));
    const evaluatedUnderDoubled = { lastEvaluation: { limitVersion: 2, periodStartedAt: PERIOD_START }, alerts };
    expect(find("450", { config: doubled, history: historyAfter(find("450")) })).toEqual([]);
    expect(summaryOf(find("800", { config: doubled, history: evaluatedUnderDoubled }))).toEqual([
      "threshold_crossed announced",
    ]);
  });

  it("re-arms at the end of an override the thresholds reached meanwhile", () => {
    const overrides = [anOverride({ amountNanoUsd: usd("500"), expiresAt: NOW - MINUTE })];
    const config = { ...acme, overrides };
    const { alerts } = historyAfter(find("450"));
    const evaluatedDuringOverride = { lastEvaluation: { limitVersion: 2, periodStartedAt: PERIOD_START }, alerts };
    expect(summaryOf(find("450", { config, history: evaluatedDuringOverride }))).toEqual([
      "threshold_crossed announced",
    ]);
    expect(summaryOf(find("450", { config, history: historyAfter(find("450")) }))).toEqual([
      "threshold_crossed silent",
    ]);
  });
});
