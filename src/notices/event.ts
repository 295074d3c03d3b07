// The JSON event of webhook channels. Programs read it, so a name never changes its meaning.

import type { AlertEventType } from "../budget/alert.ts";
import { iso } from "../budget/instant.ts";
import { percentNumber, usdNumber } from "../budget/money.ts";
import type { PlatformAlertRecord } from "../records/platform-alert.ts";
import { snapshotOf } from "./budget-snapshot.ts";
import { detailJson } from "./detail.ts";
import type { AlertNotice, Notice, PlatformNotice, TestNotice } from "./notice.ts";

/** LiteLLM's projections are hints, of which no notice is made. */
type NoticedEventType = Exclude<AlertEventType, "projected_limit_exceeded">;

/** Every event type, by the type of the alert. */
const EVENT_TYPES = {
  threshold_crossed: "budget.threshold_crossed",
  budget_crossed: "budget.crossed",
  budget_blocked: "budget.blocked",
  budget_resolved: "budget.resolved",
  budget_reset: "budget.reset",
  override_granted: "override.granted",
  override_ended: "override.ended",
  tenant_suspended: "tenant.suspended",
  tenant_resumed: "tenant.resumed",
  channel_test: "channel.test",
} as const satisfies Record<NoticedEventType | "channel_test", string>;

type EventType = (typeof EVENT_TYPES)[keyof typeof EVENT_TYPES] | `platform.${PlatformAlertRecord["kind"]}`;

interface NoticeEvent {
  readonly type: EventType;
  /** ISO 8601 UTC: when the alert was recorded. */
  readonly timestamp: string;
  readonly data: Readonly<Record<string, string | number | boolean | null | Readonly<Record<string, string>>>>;
}

/** The JSON text to sign and send: snake_case, US dollars and percent as numbers, instants ISO 8601 UTC. */
export function eventBody(notice: Notice): string {
  if ("test" in notice) return JSON.stringify(testEvent(notice));
  return JSON.stringify("platformAlert" in notice ? platformEvent(notice) : alertEvent(notice));
}

function platformEvent({ platformAlert: { id, kind, detail, begunAt, createdAt } }: PlatformNotice): NoticeEvent {
  return {
    type: `platform.${kind}`,
    timestamp: iso(createdAt),
    data: { ...detailJson(detail), alert_id: id, begun_at: iso(begunAt) },
  };
}

function alertEvent(notice: AlertNotice): NoticeEvent {
  const { alert, tenantName, tenantMetadata } = notice;
  const snapshot = snapshotOf(notice);
  const type: EventType | undefined = (EVENT_TYPES as Partial<Record<AlertEventType, EventType>>)[alert.eventType];
  // Of a later release, after a rollback: the attempt fails and is retried, because receivers need a type.
  if (type === undefined) throw new Error(`unknown event type ${alert.eventType}`);
  return {
    type,
    timestamp: iso(alert.createdAt),
    data: {
      // First, so that no field of the detail can replace one of the fields below.
      ...detailJson(alert.detail),
      alert_id: alert.id,
      tenant_id: alert.tenantId,
      tenant_name: tenantName,
      tenant_metadata: tenantMetadata,
      state: snapshot.state,
      enforcement: notice.enforcement,
      threshold: alert.threshold === null ? null : percentNumber(alert.threshold),
      currency: "USD",
      spend: usdNumber(snapshot.spendNanoUsd),
      limit: usdNumber(snapshot.limitNanoUsd),
      max_budget: usdNumber(snapshot.maxBudgetNanoUsd),
      used_percent: snapshot.used === null ? null : percentNumber(snapshot.used),
      remaining: usdNumber(snapshot.remainingNanoUsd),
      blocks_at: snapshot.block === null ? null : usdNumber(snapshot.block.atNanoUsd),
      period_started_at: iso(alert.periodStartedAt),
      resets_at: alert.resetsAt === null ? null : iso(alert.resetsAt),
      occurrence: alert.occurrence,
      repetition: alert.repetition,
    },
  };
}

function testEvent({ test }: TestNotice): NoticeEvent {
  return {
    type: EVENT_TYPES.channel_test,
    timestamp: iso(test.requestedAt),
    data: { test_id: test.id, tenant_id: test.tenantId, channel_name: test.channelName },
  };
}
