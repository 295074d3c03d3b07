// Alerts and channels in the Worker's Postgres, with channels that point to the local inbox, and the inbox's messages.

import { env } from "cloudflare:workers";
import { aesCipher } from "../../src/adapters/cloudflare/aes-cipher.ts";
import { readConfig } from "../../src/config.ts";
import type { AlertId } from "../../src/records/alert.ts";
import type { ChannelId, ChannelKind, ChannelTarget } from "../../src/records/channel.ts";
import type { DeliveryKey } from "../../src/records/delivery.ts";
import { aHash, query, seedTenant } from "./bursar.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      /** Set only in tests and the local stack, where the inbox replaces Resend. */
      RESEND_URL: string;
    }
  }
}

const INBOX = new URL(env.RESEND_URL).origin;
const SECRET = `whsec_${btoa("a secret of 24 bytes or so")}`;

/** Part of every URL and address; must appear in no log. */
export const MARKER = "TARGET-MARKER";

const TARGETS: Record<ChannelKind, ChannelTarget> = {
  slack: { kind: "slack", url: `${INBOX}/slack/services/${MARKER}` },
  email: { kind: "email", to: [`${MARKER}@example.com`] },
  webhook: { kind: "webhook", url: `${INBOX}/webhook/${MARKER}`, secret: SECRET },
  pagerduty: { kind: "pagerduty", routingKey: "0123456789abcdef0123456789abcdef" },
  teams: { kind: "teams", url: `${INBOX}/teams/${MARKER}` },
  discord: { kind: "discord", url: `${INBOX}/discord/${MARKER}` },
};

export interface SeededNotice {
  readonly key: DeliveryKey;
  readonly tenantId: string;
  readonly message: { kind: "notice"; alert_id: string; channel_id: string };
}

/** A pending delivery of a new tenant, due at once. */
export async function seedNotice(kind: ChannelKind = "slack", attempts = 0): Promise<SeededNotice> {
  const tenantId = await seedTenant(aHash());
  const [alertId, channelId] = [crypto.randomUUID() as AlertId, crypto.randomUUID() as ChannelId];
  const encrypted = await aesCipher(readConfig(env).encryptionKeys).encrypt(JSON.stringify(TARGETS[kind]));
  await query(
    `insert into budget_alert_history (id, tenant_id, identity, event_type, threshold, spend, max_budget, limit_amount,
       percentage, period_started_at, limit_version)
     values ('${alertId}', '${tenantId}', '${alertId}', 'threshold_crossed', 80, 80, 100, 100, 80, '2026-11-01', 1)`,
  );
  await query(
    `insert into notification_channels (id, tenant_id, kind, name, sealed_target)
     values ('${channelId}', '${tenantId}', '${kind}', 'ops', '${encrypted}')`,
  );
  await query(
    `insert into notice_deliveries (alert_id, channel_id, attempts, next_attempt_at)
     values ('${alertId}', '${channelId}', ${attempts}, now())`,
  );
  const message = { kind: "notice", alert_id: alertId, channel_id: channelId } as const;
  return { key: { alertId, channelId }, tenantId, message };
}

/** A pending delivery of a platform alert to a platform channel; its error names the tenant, for `inboxOf`. */
export async function seedPlatformNotice(kind: ChannelKind): Promise<SeededNotice> {
  const seeded = await seedNotice(kind);
  const alertId = crypto.randomUUID() as AlertId;
  const { channelId } = seeded.key;
  await query(
    `insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at)
     values ('${alertId}', 'sync_pending', '{"tenants": 1, "tenant_id": "${seeded.tenantId}"}', now(), now(), now())`,
  );
  await query(`update notification_channels set tenant_id = null where id = '${channelId}'`);
  await query(
    `update notice_deliveries set alert_id = null, platform_alert_id = '${alertId}' where alert_id = '${seeded.key.alertId}'`,
  );
  const message = { ...seeded.message, alert_id: alertId };
  return { ...seeded, key: { alertId, channelId }, message };
}

export async function deliveryOf({ key }: SeededNotice) {
  const [row] = await query(
    `select status, attempts, last_error, round(extract(epoch from next_attempt_at - updated_at))::int as waits,
       sent_at is not null as is_sent
     from notice_deliveries where coalesce(alert_id, platform_alert_id) = '${key.alertId}'`,
  );
  return row;
}

/** Makes the next attempt due. */
export async function makeDue({ key }: SeededNotice): Promise<void> {
  await query(
    `update notice_deliveries set next_attempt_at = now(), turn_at = turn_at - interval '1 day' where alert_id = '${key.alertId}'`,
  );
}

export interface Arrived {
  readonly kind: ChannelKind;
  readonly accepted: boolean;
  readonly signature?: string;
  readonly headers: Record<string, string>;
}

/** The inbox's messages about a tenant, refused ones included. */
export async function inboxOf({ tenantId }: SeededNotice): Promise<Arrived[]> {
  const response = await fetch(`${INBOX}/messages?tenant=${tenantId}`);
  return ((await response.json()) as { data: Arrived[] }).data;
}

/** Sets the inbox's answer to messages of a kind; null restores success. */
export async function inboxFails(failure: object | null): Promise<void> {
  const init = failure === null ? { method: "DELETE" } : { method: "PUT", body: JSON.stringify(failure) };
  await (await fetch(`${INBOX}/_fail`, init)).text();
}
