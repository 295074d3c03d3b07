// Audit lines for LiteLLM's webhooks: one per webhook, one for all `spend_tracked` webhooks of a tenant in a batch, and
// one per kind of webhook that matched no tenant. Decides only; a redelivered message gets the same lines.

import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { AuditAction, AuditNote } from "../../records/audit.ts";
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
        detail: { ...kindOf(body), spend: body.spend === null ? null : decimalFromNanoUsd(body.spend) },
        sourceId: sourceIdOf(tenantId, body, messageId),
        at: now,
      }),
    ),
    ...groupedNote("spend_tracked", tenantId, costs, now),
  ];
}

/** Duplicates share one line. Tenant ids and message ids contain no slash. */
function sourceIdOf(tenantId: TenantId, { webhook_id: webhookId }: Webhook, messageId: string): string {
  return `webhook/${webhookId ? `${tenantId}/${webhookId}` : messageId}`;
}

/** Grouped by event and kind, because a proxy with unmanaged keys reports them all the time. */
export function noteUnmatched(messages: readonly Incoming[], now: Instant): AuditNote[] {
  const kinds = new Map<string, Arrived[]>();
  for (const webhook of webhooksOf(messages)) {
    const kind = JSON.stringify([webhook.body.event, webhook.body.event_group, webhook.body.auth]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), webhook]);
  }
  return [...kinds.values()].flatMap((webhooks) => groupedNote("webhook_unmatched", null, webhooks, now));
}

function groupedNote(
  action: AuditAction,
  tenantId: TenantId | null,
  webhooks: readonly Arrived[],
  now: Instant,
): AuditNote[] {
  const [first] = webhooks;
  if (first === undefined) return [];
  const { body, messageId } = first;
  const references = tenantId === null ? { key_hash: body.key_hash, team_id: body.team_id, user_id: body.user_id } : {};
  const detail = { ...kindOf(body), ...references, count: webhooks.length };
  return [{ action, tenantId, detail, sourceId: `${action}/${messageId}`, at: now }];
}

function webhooksOf(messages: readonly Incoming[]): Arrived[] {
  return messages.flatMap(({ body, messageId }) => (body.kind === "webhook" ? [{ body, messageId }] : []));
}

function kindOf({ event, event_group: group, auth }: Webhook) {
  return { event, event_group: group, auth };
}
