// The events of webhook channels: their types and every field.

import { describe, expect, it } from "vitest";
import { aNotice, aPlatformNotice, SAMPLES } from "../../dev/notices/samples.ts";
import { ALERT_EVENT_TYPES, type AlertEventType } from "../../src/budget/alert.ts";
import { hasNotice } from "../../src/notices/copy/event-copy.ts";
import { eventBody } from "../../src/notices/event.ts";
import type { Notice } from "../../src/notices/notice.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";

const event = (notice: Notice) => JSON.parse(eventBody(notice));

describe("an event", () => {
  it("refuses an alert type of a later release, so that its attempt fails and is retried", () => {
    const unknown = aNotice("spend_rate_high" as AlertEventType, { threshold: null });
    expect(() => eventBody(unknown)).toThrow("unknown event type spend_rate_high");
  });

  it("has amounts as JSON numbers and instants as ISO 8601", () => {
    expect(event(SAMPLES["warning"] as Notice)).toEqual({
      type: "budget.threshold_crossed",
      timestamp: "2026-11-15T12:00:00.000Z",
      data: {
        alert_id: "0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10",
        tenant_id: "acme",
        tenant_name: "Acme Corp",
        tenant_metadata: { crm_id: "4711" },
        state: "warning",
        enforcement: "enforce",
        threshold: 80,
        currency: "USD",
        spend: 412.5,
        limit: 500,
        max_budget: 500,
        used_percent: 82.5,
        remaining: 87.5,
        blocks_at: 550,
        period_started_at: "2026-11-01T00:00:00.000Z",
        resets_at: "2026-12-01T00:00:00.000Z",
        occurrence: 0,
        repetition: 0,
      },
    });
  });

  it("has null for missing values", () => {
    const zero = event(aNotice("budget_blocked", { spend: "3.2", limit: "0", resetsAt: null, tenantName: null }));
    expect(zero.data).toMatchObject({
      state: "blocked",
      threshold: null,
      used_percent: null,
      remaining: 0,
      blocks_at: 0,
      resets_at: null,
      tenant_name: null,
    });
  });

  it("has the state warning although the alert threshold was raised since", () => {
    const notice = aNotice("threshold_crossed", { threshold: 8_000n, spend: "412.5", alertThreshold: 9_000n });
    expect(JSON.parse(eventBody(notice)).data).toMatchObject({ state: "warning", threshold: 80 });
  });

  it("rounds 109.99 percent down", () => {
    const { data } = event(aNotice("budget_crossed", { threshold: 10_000n, spend: "549.999999999" }));
    expect(data).toMatchObject({ state: "grace", used_percent: 109.99, threshold: 100 });
  });

  it("has the detail of an override, with its amount as a number", () => {
    expect(event(SAMPLES["override-granted"] as Notice).data).toMatchObject({
      override_amount: 100,
      reason: "Launch week, agreed with finance",
      expires_at: "2026-11-22T18:00:00.000Z",
      granted_by: "dana",
      limit: 600,
      max_budget: 500,
    });
  });

  it("refuses a projection of LiteLLM, which has no notices", () => {
    expect(() => eventBody(aNotice("projected_limit_exceeded"))).toThrow("unknown event type");
  });

  it("has no amount that blocks when the block threshold of its instant is not known", () => {
    expect(event(aNotice("budget_resolved", { spend: "552" })).data).toMatchObject({ blocks_at: null, state: "grace" });
  });

  it("never lets a detail replace one of its own fields", () => {
    const { data } = event(aNotice("override_granted", { detail: { tenant_id: "other", spend: 0, reason: "leak" } }));
    expect(data).toMatchObject({ tenant_id: "acme", spend: 412.5, reason: "leak", state: "warning" });
  });

  it("shows an observed tenant's enforcement", () => {
    expect(event(SAMPLES["blocked-observed"] as Notice).data).toMatchObject({
      state: "blocked",
      enforcement: "observe",
    });
  });
});

it("has a distinct type for every kind of alert", () => {
  const types = ALERT_EVENT_TYPES.filter((eventType) => hasNotice({ eventType })).map(
    (eventType) => event(aNotice(eventType)).type,
  );
  expect(types).toEqual([
    "budget.threshold_crossed",
    "budget.crossed",
    "budget.blocked",
    "budget.resolved",
    "budget.reset",
    "override.granted",
    "override.ended",
    "tenant.suspended",
    "tenant.resumed",
  ]);
});

it("has a separate type without amounts for a test", () => {
  expect(event(SAMPLES["test"] as Notice)).toEqual({
    type: "channel.test",
    timestamp: "2026-11-15T12:00:00.000Z",
    data: { test_id: "7f1e0c44-9b1f-4c58-8a55-8f2b6f6a1d02", tenant_id: "acme", channel_name: "ops alerts" },
  });
});

describe("an event of the platform", () => {
  it.each([
    "dead_letter",
    "sync_pending",
    "litellm_silent",
    "litellm_out",
    "litellm_unreadable",
    "mark_copied",
    "spend_fell",
    "channel_broken",
    "budgets_reset",
  ] as const)("has a distinct type for %s", (kind) => {
    expect(event(aPlatformNotice(kind, {})).type).toBe(`platform.${kind}`);
  });

  it("has the amounts of a fall as numbers, and its notice has them as money", () => {
    const fall = SAMPLES["platform-spend-fell"] as Notice;
    expect(event(fall).data).toMatchObject({ tenants: 1, spend_before: 552, spend_after: 12.5 });
    expect(JSON.stringify(slackMessage(fall))).toMatch(/Spend before: \$552\.00.*Spend now: \$12\.50/);
  });

  it("has the condition and its start, without budget fields", () => {
    expect(event(SAMPLES["platform-sync-pending"] as Notice)).toEqual({
      type: "platform.sync_pending",
      timestamp: "2026-11-15T12:00:00.000Z",
      data: {
        alert_id: "5c0e3d5a-52a5-4c0c-9d0a-7f1f4b3f9e21",
        begun_at: "2026-11-15T11:50:00.000Z",
        tenants: 2,
        tenant_id: "acme",
        error: "LiteLLM does not know this key",
        since: "2026-11-15T11:40:00.000Z",
      },
    });
  });
});
