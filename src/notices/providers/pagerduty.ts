// Notices for PagerDuty's Events API v2. A block opens an incident and its end resolves it, by the same key.

import type { event } from "@pagerduty/pdjs";
import { PLATFORM_EVENTS } from "../../budget/delivery/severity.ts";
import type { AlertRecord } from "../../records/alert.ts";
import type { Tone } from "../copy/copy.ts";
import { headlineOf, type MessageModel, messageModelOf } from "../message-model.ts";
import type { Notice } from "../notice.ts";

type Event = Parameters<typeof event>[0]["data"];

/** Without the routing key, which is a secret. */
export type PagerDutyEvent = Omit<Event, "routing_key" | "dedup_key"> & { readonly dedup_key: string };

/** PagerDuty cuts longer summaries. */
const MAX_SUMMARY = 1_024;

const SEVERITIES: Readonly<Record<Tone, Event["payload"]["severity"]>> = {
  warning: "warning",
  critical: "error",
  blocked: "critical",
  suspended: "warning",
  platform: "error",
  resolved: "info",
  reset: "info",
  override: "info",
  resumed: "info",
  test: "info",
};

/** The incident that an event ends, by the type of the event that opened it. */
const OPENED_BY: Partial<Record<AlertRecord["eventType"], AlertRecord["eventType"]>> = {
  budget_resolved: "budget_blocked",
  tenant_resumed: "tenant_suspended",
};

export function pagerDutyEvent(notice: Notice, publicUrl: string | null): PagerDutyEvent {
  const model = messageModelOf(notice, publicUrl);
  const { tone, tag, at, button, advice, facts } = model;
  const isEnd = "alert" in notice && notice.alert.eventType in OPENED_BY;
  return {
    event_action: isEnd ? "resolve" : "trigger",
    dedup_key: dedupKeyOf(notice),
    payload: {
      summary: `${tag}: ${headlineOf(model, MAX_SUMMARY - tag.length - 2)}`,
      source: model.tenant === null ? "bursar" : `bursar/${model.tenant.id}`,
      severity: SEVERITIES[tone],
      timestamp: new Date(at).toISOString(),
      component: "budget",
      custom_details: {
        ...numberDetails(model),
        ...Object.fromEntries(facts.map(({ label, value }) => [label, value])),
        ...(advice !== null && { "What to do": advice }),
      },
    },
    ...(button !== null && { links: [{ href: button.url, text: button.label }] }),
  };
}

function numberDetails({ budget }: MessageModel): Record<string, string> {
  if (budget === null) return {};
  const { amounts, blocks, resets } = budget.numbers;
  return {
    ...Object.fromEntries(amounts.map(({ label, value }) => [label, value])),
    ...(blocks !== null && { Block: blocks }),
    Reset: resets,
  };
}

function dedupKeyOf(notice: Notice): string {
  if ("test" in notice) return notice.test.id;
  if ("alert" in notice) return incidentKey(notice.alert);
  const { kind, id } = notice.platformAlert;
  // A reminder of a condition belongs to its incident; two broken channels, or two digests, are two incidents.
  return PLATFORM_EVENTS.includes(kind) ? `bursar/platform/${kind}/${id}` : `bursar/platform/${kind}`;
}

/**
 * The key of the incident that an alert opens or ends. A tenant has one block and one suspension at a time, which may
 * outlast a period or a limit, so that the end always finds its incident. Other crossings are of their period, and a
 * repetition finds its incident.
 */
export function incidentKey({ eventType, identity, tenantId }: AlertRecord): string {
  const opener = OPENED_BY[eventType] ?? eventType;
  // The second part of an identity: the period, the override or the audit line.
  const [, distinct] = identity.split("/");
  return STANDING.includes(opener) ? `bursar/${opener}/${tenantId}` : `bursar/${opener}/${distinct}/${tenantId}`;
}

/** What Bursar ends by an alert of its own. */
const STANDING: readonly unknown[] = Object.values(OPENED_BY);
