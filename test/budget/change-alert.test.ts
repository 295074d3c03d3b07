// The alert of a change: its identity, and the spend and limits that it shows.

import { describe, expect, it } from "vitest";
import { changeAlert } from "../../src/budget/alert.ts";
import type { TenantId } from "../../src/budget/tenant.ts";
import { anOverride, aSpendRecord, aTenantConfig, DAY, NOW, PERIOD_START, RESET, usd } from "./builders.ts";

const tenantId = "acme" as TenantId;
const granted = { eventType: "override_granted", tenantId, overrideId: "o1" } as const;
const spend = aSpendRecord({ spendNanoUsd: usd("550") });
const config = aTenantConfig({ overrides: [anOverride()] });

describe("the alert of a change", () => {
  it("sends a notice, has no threshold, and keeps one identity whatever the time", () => {
    const alert = changeAlert({ config, spend, now: NOW }, granted, { override_id: "o1" });
    expect(alert).toMatchObject({
      eventType: "override_granted",
      threshold: null,
      occurrence: 0,
      isSilent: false,
      detail: { override_id: "o1" },
    });
    const later = changeAlert({ config, spend: null, now: NOW + DAY }, granted, null);
    expect(later.identity).toBe(alert.identity);
  });

  it("shows the limit and its version of that moment", () => {
    const observations = { limitNanoUsd: usd("600"), maxBudgetNanoUsd: usd("500"), used: 9_166n, limitVersion: 2 };
    expect(changeAlert({ config, spend, now: NOW }, granted, null)).toMatchObject(observations);
    const ended = { limitNanoUsd: usd("500"), used: 11_000n, limitVersion: 3 };
    expect(changeAlert({ config, spend, now: NOW + DAY }, granted, null)).toMatchObject(ended);
  });

  it("shows the spend of the current period", () => {
    const observations = { spendNanoUsd: usd("550"), periodStartedAt: PERIOD_START, resetsAt: RESET };
    expect(changeAlert({ config, spend, now: NOW }, granted, null)).toMatchObject(observations);
  });

  it.each([
    ["a record of an ended period", aSpendRecord({ periodStartedAt: PERIOD_START - DAY, resetsAt: PERIOD_START })],
    ["a tenant without spend", null],
  ])("shows no spend for %s", (_, known) => {
    expect(changeAlert({ config, spend: known, now: NOW }, granted, null)).toMatchObject({
      spendNanoUsd: 0n,
      used: 0n,
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
    });
  });

  it("shows spend of a later period than the config knows as that period's", () => {
    const next = aSpendRecord({ periodStartedAt: RESET, resetsAt: RESET + DAY, spendNanoUsd: usd("1") });
    const alert = changeAlert({ config, spend: next, now: NOW }, granted, null);
    expect(alert).toMatchObject({ spendNanoUsd: usd("1"), periodStartedAt: RESET, resetsAt: RESET + DAY });
  });

  it("has no used share when the limit is zero", () => {
    const zero = aTenantConfig({ maxBudgetNanoUsd: 0n });
    const suspended = { eventType: "tenant_suspended", tenantId, auditId: 7 } as const;
    expect(changeAlert({ config: zero, spend, now: NOW }, suspended, { audit_id: 7 }).used).toBeNull();
  });
});
