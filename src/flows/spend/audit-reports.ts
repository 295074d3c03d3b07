// Audit lines for LiteLLM's webhooks: one line for all webhooks of a tenant, an event and an hour, and one for those of
// an event and an hour that matched no tenant. LiteLLM repeats an alert every few seconds, and a leaked token of the
// URL lets anyone send events by any name. Decides only. Postgres adds each webhook to its line once.

import { type Instant, iso } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { AuditAction, AuditNote } from "../../records/audit.ts";
import type { Incoming } from "./merge-batch.ts";

type Webhook = Extract<Incoming["body"], { kind: "webhook" }>;

interface Arrived {
  readonly body: Webhook;
  readonly messageId: string;
}

const HOUR_MS = 3_600_000;

const SPEND_TRACKED = "spend_tracked";

/** The events that LiteLLM sends about budgets. All others share a line. */
const EVENTS: ReadonlySet<string> = new Set([
  "budget_crossed",
  "soft_budget_crossed",
  "threshold_crossed",
  "projected_limit_exceeded",
  SPEND_TRACKED,
]);

export function noteReports(tenantId: TenantId, messages: readonly Incoming[]): AuditNote[] {
  return linesOf(messages, ({ event }) => (event === SPEND_TRACKED ? SPEND_TRACKED : "webhook_received"), tenantId);
}

export function noteUnmatched(messages: readonly Incoming[]): AuditNote[] {
  return linesOf(messages, () => "webhook_unmatched", null);
}

function linesOf(
  messages: readonly Incoming[],
  actionOf: (body: Webhook) => AuditAction,
  tenantId: TenantId | null,
): AuditNote[] {
  const lines = new Map<string, [Arrived, ...Arrived[]]>();
  for (const webhook of webhooksOf(messages)) {
    const sourceId = sourceIdOf(webhook.body, actionOf(webhook.body), tenantId);
    const line = lines.get(sourceId);
    if (line === undefined) lines.set(sourceId, [webhook]);
    else line.push(webhook);
  }
  return [...lines].map(([sourceId, webhooks]) => lineOf(sourceId, actionOf(webhooks[0].body), tenantId, webhooks));
}

/** Names the line. Tenant ids contain no slash. */
function sourceIdOf({ event, auth, received_at: at }: Webhook, action: AuditAction, tenantId: TenantId | null): string {
  const known = EVENTS.has(event) ? event : "other";
  return ["webhooks", tenantId ?? "", action, known, auth, Math.floor(at / HOUR_MS)].join("/");
}

/** The details are those of the first webhook, and the amounts those of all: `spend` the highest, `cost` their sum. */
function lineOf(
  sourceId: string,
  action: AuditAction,
  tenantId: TenantId | null,
  webhooks: readonly [Arrived, ...Arrived[]],
): AuditNote {
  const { event, event_group, auth, key_hash, team_id, user_id } = webhooks[0].body;
  const references = tenantId === null ? { key_hash, team_id, user_id } : {};
  const times = webhooks.map(({ body }) => body.received_at);
  const detail = { event, event_group, auth, ...references, last_at: iso(Math.max(...times)) };
  const at: Instant = Math.min(...times);
  return { action, tenantId, detail, sourceId, at, webhooks: webhooks.map((each) => reportOf(each, action, tenantId)) };
}

function reportOf({ body, messageId }: Arrived, action: AuditAction, tenantId: TenantId | null) {
  const amount = body.spend === null ? null : decimalFromNanoUsd(body.spend);
  return {
    id: reportIdOf(tenantId, body, messageId),
    cost: action === SPEND_TRACKED ? amount : null,
    spend: action === "webhook_received" ? amount : null,
  };
}

/** Duplicates share an id, and so does a message that is delivered again. */
function reportIdOf(tenantId: TenantId | null, { webhook_id: webhookId }: Webhook, messageId: string): string {
  return webhookId ? `${tenantId ?? ""}/${webhookId}` : messageId;
}

function webhooksOf(messages: readonly Incoming[]): Arrived[] {
  return messages.flatMap(({ body, messageId }) => (body.kind === "webhook" ? [{ body, messageId }] : []));
}
