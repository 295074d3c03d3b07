// The identity of an alert: one name for one occasion.

import { describe, expect, it } from "vitest";
import { alertIdentity } from "../../src/budget/alert.ts";
import type { TenantId } from "../../src/budget/tenant.ts";

describe("alert identity", () => {
  const tenantId = "acme/x" as TenantId;
  const base = { tenantId, periodStartedAt: 1, limitVersion: 2, threshold: 8_000n, occurrence: 0 } as const;
  const keys = [
    { ...base, eventType: "threshold_crossed" },
    { ...base, eventType: "budget_crossed" },
    { ...base, eventType: "budget_blocked" },
    { ...base, eventType: "threshold_crossed", occurrence: 1 },
    { ...base, eventType: "threshold_crossed", limitVersion: 3 },
    { ...base, eventType: "threshold_crossed", periodStartedAt: 2 },
    { ...base, eventType: "threshold_crossed", threshold: 8_050n },
    { ...base, eventType: "threshold_crossed", tenantId: "acme" as TenantId },
    { eventType: "budget_resolved", block: "budget_blocked/1/2/110/0/acme/x" },
    { eventType: "budget_resolved", block: "budget_blocked/1/2/110/1/acme/x" },
    { tenantId, eventType: "budget_reset", periodStartedAt: 1 },
    { tenantId, eventType: "override_granted", overrideId: "o1" },
    { tenantId, eventType: "override_ended", overrideId: "o1" },
    { tenantId, eventType: "tenant_suspended", auditId: 7 },
    { tenantId, eventType: "tenant_resumed", auditId: 7 },
  ] as const;

  it("differs when any part of the alert differs", () => {
    expect(new Set(keys.map(alertIdentity)).size).toBe(keys.length);
  });

  it("keeps the format of identities that Postgres already holds", () => {
    expect(alertIdentity({ ...base, eventType: "threshold_crossed" })).toBe("threshold_crossed/1/2/80/0/acme/x");
  });

  it("names the end of a block after the block", () => {
    const block = alertIdentity({ ...base, threshold: 11_000n, eventType: "budget_blocked" });
    const end = alertIdentity({ eventType: "budget_resolved", block });
    expect(end).toBe("budget_resolved/budget_blocked/1/2/110/0/acme/x");
  });
});
