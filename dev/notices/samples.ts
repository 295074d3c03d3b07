// Sample notices of every kind with realistic amounts, and one with hostile text. Data only.

import type { AlertDetail, AlertEventType } from "../../src/budget/alert.ts";
import type { PlatformAlertKind } from "../../src/budget/delivery/severity.ts";
import { nanoUsdFromDecimal, shareOf } from "../../src/budget/money.ts";
import type { TenantId } from "../../src/budget/tenant.ts";
import type { AlertNotice, Notice, PlatformNotice } from "../../src/notices/notice.ts";
import type { AlertId } from "../../src/records/alert.ts";

const PERIOD_START = Date.UTC(2026, 10, 1);
const RESET = Date.UTC(2026, 11, 1);
const NOW = Date.UTC(2026, 10, 15, 12);

export type Difference = Partial<AlertNotice["alert"]> &
  Partial<Omit<AlertNotice, "alert">> & {
    /** How often an alert that still stands was announced before. */
    readonly repetition?: number;
    /** US dollars, as decimals. */
    readonly spend?: string;
    readonly limit?: string;
    readonly maxBudget?: string;
  };

/** A notice of `eventType`: acme, called Acme Corp, has spent $412.50 of $500.00. */
export function aNotice(eventType: AlertEventType, differences: Difference = {}): AlertNotice {
  const { spend = "412.5", limit = "500", maxBudget = limit, ...rest } = differences;
  const { tenantName = "Acme Corp", alertThreshold = 8_000n, graceThreshold = 11_000n, ...others } = rest;
  const { enforcement = "enforce", tenantMetadata = { crm_id: "4711" }, ...alert } = others;
  const [spendNanoUsd, limitNanoUsd] = [nanoUsd(spend), nanoUsd(limit)];
  return {
    tenantName,
    tenantMetadata,
    alertThreshold,
    graceThreshold,
    enforcement,
    alert: {
      id: "0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10" as AlertId,
      tenantId: "acme" as TenantId,
      identity: `${eventType}/${PERIOD_START}/acme`,
      eventType,
      threshold: null,
      spendNanoUsd,
      limitNanoUsd,
      maxBudgetNanoUsd: nanoUsd(maxBudget),
      used: shareOf(spendNanoUsd, limitNanoUsd),
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
      limitVersion: 1,
      occurrence: 0,
      repetition: 0,
      isSilent: false,
      detail: null,
      createdAt: NOW,
      ...alert,
    },
  };
}

/** A notice about a platform-wide problem that began ten minutes ago. */
export function aPlatformNotice(kind: PlatformAlertKind, detail: AlertDetail): PlatformNotice {
  const id = "5c0e3d5a-52a5-4c0c-9d0a-7f1f4b3f9e21" as AlertId;
  return { platformAlert: { id, kind, detail, begunAt: NOW - 600_000, createdAt: NOW } };
}

const OVERRIDE = {
  override_amount: "100",
  reason: "Launch week, agreed with finance",
  expires_at: "2026-11-22T18:00:00.000Z",
  granted_by: "dana",
};

const HOSTILE =
  '<script>alert(1)</script> & "Sons" </td> *bold* _it_ `code` <!channel> @here :skull: \u202egnp.exe\r\nBcc: a@b.c';

export const SAMPLES: Readonly<Record<string, Notice>> = {
  warning: aNotice("threshold_crossed", { threshold: 8_000n }),
  "warning-repeated": aNotice("threshold_crossed", { threshold: 8_000n, repetition: 2, tenantName: null }),
  critical: aNotice("budget_crossed", { threshold: 10_000n, spend: "525" }),
  "critical-at-100": aNotice("budget_crossed", { threshold: 10_000n, spend: "500", resetsAt: null }),
  "critical-at-109.99": aNotice("budget_crossed", { threshold: 10_000n, spend: "549.99" }),
  blocked: aNotice("budget_blocked", { threshold: 11_000n, spend: "552" }),
  "blocked-at-170": aNotice("budget_blocked", { threshold: 11_000n, spend: "850" }),
  "blocked-zero-limit": aNotice("budget_blocked", { threshold: 11_000n, spend: "3.2", limit: "0" }),
  "blocked-observed": aNotice("budget_blocked", { threshold: 11_000n, spend: "552", enforcement: "observe" }),
  resolved: aNotice("budget_resolved", { spend: "552", limit: "900", maxBudget: "500" }),
  reset: aNotice("budget_reset", { spend: "0" }),
  "override-granted": aNotice("override_granted", { spend: "505", limit: "600", maxBudget: "500", detail: OVERRIDE }),
  "override-ended": aNotice("override_ended", {
    spend: "590",
    detail: { ...OVERRIDE, expires_at: "2026-11-14T18:00:00.000Z" },
  }),
  "override-revoked": aNotice("override_ended", {
    spend: "590",
    detail: { ...OVERRIDE, revoked_at: "2026-11-13T09:30:00.000Z", revoked_by: "lee" },
  }),
  suspended: aNotice("tenant_suspended", { detail: { audit_id: 7 } }),
  resumed: aNotice("tenant_resumed", { spend: "120.4" }),
  "platform-dead-letter": aPlatformNotice("dead_letter", {
    dead_letters: 3,
    queue: "bursar-notices",
    error: "Slack answered 503",
  }),
  "platform-sync-pending": aPlatformNotice("sync_pending", {
    tenants: 2,
    tenant_id: "acme",
    error: "LiteLLM does not know this key",
    since: "2026-11-15T11:40:00.000Z",
  }),
  "platform-litellm-unreadable": aPlatformNotice("litellm_unreadable", {
    tenants: 100,
    tenant_id: "acme",
    error: "unparseable answer",
  }),
  "platform-mark-copied": aPlatformNotice("mark_copied", {
    tenant_id: "acme",
    key_hash: "9e12ba1c9eb4e5817b77c160de563342b0a8a3fec0b93fac2a60bb8a9909b474",
  }),
  "platform-spend-fell": aPlatformNotice("spend_fell", {
    tenants: 1,
    tenant_id: "acme",
    spend_before: "552",
    spend_after: "12.5",
  }),
  "platform-subject-missing": aPlatformNotice("subject_missing", {
    tenants: 1,
    tenant_id: "acme",
    since: "2026-11-15T11:30:00.000Z",
  }),
  "platform-tenants-unread": aPlatformNotice("tenants_unread", {
    tenants: 7,
    tenant_ids: "acme, globex, initech, umbrella, wayne",
    since: "2026-11-15T10:55:00.000Z",
  }),
  "platform-channel-broken": aPlatformNotice("channel_broken", {
    channel_id: "7f1e0c44-9b1f-4c58-8a55-8f2b6f6a1d03",
    channel: "finance",
    channel_kind: "slack",
    tenant_id: "acme",
    error: "status 404, no_service",
  }),
  digest: aPlatformNotice("budgets_reset", { tenants: 1_000, names: "Acme Corp, Globex, Initech, Umbrella, Wayne" }),
  "platform-litellm-silent": aPlatformNotice("litellm_silent", { last_read_at: "2026-11-15T09:55:00.000Z" }),
  "platform-litellm-out": aPlatformNotice("litellm_out", {
    since: "2026-11-15T11:50:00.000Z",
    open_until: "2026-11-15T12:50:00.000Z",
  }),
  test: {
    test: {
      id: "7f1e0c44-9b1f-4c58-8a55-8f2b6f6a1d02",
      channelName: "ops alerts",
      tenantId: "acme" as TenantId,
      requestedAt: NOW,
    },
  },
  hostile: aNotice("override_granted", {
    spend: "505",
    limit: "600",
    maxBudget: "500",
    tenantName: HOSTILE.repeat(20),
    tenantId: HOSTILE.repeat(2) as TenantId,
    detail: { ...OVERRIDE, reason: HOSTILE.repeat(9), granted_by: HOSTILE },
  }),
};

function nanoUsd(decimal: string): bigint {
  const amount = nanoUsdFromDecimal(decimal);
  if (amount === null) throw new Error(`not an amount: ${decimal}`);
  return amount;
}
