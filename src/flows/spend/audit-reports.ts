// What the audit says of LiteLLM's webhooks: a line for each, one line for a tenant's single costs in a batch, and one for
// each kind that led to no tenant. Decides only; a message that comes again has the same lines.

import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { Instant, TenantId } from "../../budget/tenant.ts";
import type { AuditAction, AuditNote } from "../../records/alert-record.ts";
import type { Incoming } from "./merge-batch.ts";

type Webhook = Extract<Incoming["body"], { kind: "webhook" }>;

interface Arrived {
  readonly body: Webhook;
  readonly messageId: string;
}

export function noteReports(tenantId: TenantId, messages: readonly Incoming[], now: Instant): AuditNote[] {
  const webhooks = webhooksOf(messages);
  const costs = webhooks.filter(({ body }) => body.event === "spend_tracked");
  const others = webhooks.filter(({ body }) => body.event !== "spend_tracked");
  return [
    ...others.map(
      ({ body, messageId }): AuditNote => ({
        action: "webhook_received",
        tenantId,
        detail: { ...wordsOf(body), spend: body.spend === null ? null : decimalFromNanoUsd(body.spend) },
        sourceId: sourceIdOf(tenantId, body, messageId),
        at: now,
      }),
    ),
    ...foldedNote("spend_tracked", tenantId, costs, now),
  ];
}

/** Copies are one line even where Redis could not tell them. A tenant's id has no slash, nor has a message's. */
function sourceIdOf(tenantId: TenantId, { webhook_id: webhookId }: Webhook, messageId: string): string {
  return `webhook/${webhookId ? `${tenantId}/${webhookId}` : messageId}`;
}

/** By event and group: a proxy with keys that are no tenant's reports of them all the time. */
export function noteUnmatched(messages: readonly Incoming[], now: Instant): AuditNote[] {
  const kinds = new Map<string, Arrived[]>();
  for (const webhook of webhooksOf(messages)) {
    const kind = JSON.stringify([webhook.body.event, webhook.body.event_group, webhook.body.auth]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), webhook]);
  }
  return [...kinds.values()].flatMap((webhooks) => foldedNote("webhook_unmatched", null, webhooks, now));
}

function foldedNote(
  action: AuditAction,
  tenantId: TenantId | null,
  webhooks: readonly Arrived[],
  now: Instant,
): AuditNote[] {
  const [first] = webhooks;
  if (first === undefined) return [];
  const { body, messageId } = first;
  const whose = tenantId === null ? { key_hash: body.key_hash, team_id: body.team_id, user_id: body.user_id } : {};
  const detail = { ...wordsOf(body), ...whose, count: webhooks.length };
  return [{ action, tenantId, detail, sourceId: `${action}/${messageId}`, at: now }];
}

function webhooksOf(messages: readonly Incoming[]): Arrived[] {
  return messages.flatMap(({ body, messageId }) => (body.kind === "webhook" ? [{ body, messageId }] : []));
}

function wordsOf({ event, event_group: group, auth }: Webhook) {
  return { event, event_group: group, auth };
}
