// How notices fare, in Postgres. One statement per verb; what has ended stays as it ended.

import { type SQL, sql } from "drizzle-orm";
import type { Enforcement } from "../../../budget/tenant.ts";
import type { Deliveries } from "../../../ports/stores.ts";
import type { AlertId } from "../../../records/alert.ts";
import type { ChannelId } from "../../../records/channel.ts";
import type { DeliveryKey, Dispatch } from "../../../records/delivery.ts";
import type { PlatformDispatch } from "../../../records/platform-alert.ts";
import { isUuid } from "../../../wire/uuid.ts";
import { alertColumn, alertFromRow, percent } from "../alerts/alert-rows.ts";
import { ALERT_ID, deliveryColumn, deliveryFromRow } from "../alerts/delivery-rows.ts";
import { platformAlertColumn, platformAlertFromRow } from "../alerts/platform-alerts.ts";
import { type Database, type Row, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { keptText } from "../kept-text.ts";
import { channelColumn, channelFromRow } from "./channel-rows.ts";

export function postgresDeliveries(database: Database): Deliveries {
  const run = (statement: SQL) => runStatement(database, statement);
  return {
    async load(key) {
      if (!isOurs(key)) return null;
      const [row] = await run(
        sql`select ${deliveryColumn} as delivery, ${channelColumn} as channel,
            case when p.id is not null then ${platformAlertColumn} end as platform_alert, ${alertColumn} as alert,
            t.name as tenant_name, t.alert_threshold::text, t.grace_threshold::text, t.enforcement
          from notice_deliveries d
          join notification_channels c on c.id = d.channel_id
          left join platform_alerts p on p.id = d.platform_alert_id
          left join budget_alert_history a on a.id = d.alert_id
          left join tenant_configs t on t.tenant_id = a.tenant_id
          where ${isOf(key)}`,
      );
      return row === undefined ? null : dispatchFromRow(row);
    },

    async end(key, { status, error, at }) {
      if (!isOurs(key)) return;
      const sentAt = status === "sent" ? timestampOf(at) : sql`null`;
      // What was skipped nobody has tried.
      const reason = error === null ? null : keptText(error);
      const tries = status === "skipped" ? 0 : 1;
      await run(
        sql`update notice_deliveries d set status = ${status}, last_error = ${reason}, sent_at = ${sentAt},
            attempts = d.attempts + ${tries}, next_attempt_at = null, updated_at = ${timestampOf(at)}
          where ${isOf(key)} and d.status = 'pending'`,
      );
    },

    async postpone(key, { error, nextAttemptAt, at }) {
      if (!isOurs(key)) return;
      await run(
        sql`update notice_deliveries d set attempts = d.attempts + 1, last_error = ${keptText(error)},
            next_attempt_at = ${timestampOf(nextAttemptAt)}, updated_at = ${timestampOf(at)}
          where ${isOf(key)} and d.status = 'pending'`,
      );
    },

    async claimOverdue(before, limit, now) {
      const rows = await run(
        sql`with overdue as (select ${ALERT_ID} as alert_id, d.channel_id, d.next_attempt_at as due_at
            from notice_deliveries d where d.status = 'pending' and d.next_attempt_at < ${timestampOf(before)}
            order by d.next_attempt_at limit ${limit} for no key update skip locked),
          claimed as (update notice_deliveries d
            set next_attempt_at = ${timestampOf(now)}, updated_at = ${timestampOf(now)}
            from overdue o where (d.alert_id = o.alert_id or d.platform_alert_id = o.alert_id)
              and d.channel_id = o.channel_id returning o.*)
          select alert_id, channel_id from claimed order by due_at, alert_id, channel_id`,
      );
      return rows.map(keyFromRow);
    },

    async revive(key, now) {
      if (!isOurs(key)) return;
      await run(
        sql`update notice_deliveries d set status = 'pending', attempts = 0, last_error = null,
            next_attempt_at = ${timestampOf(now)}, updated_at = ${timestampOf(now)}
          where ${isOf(key)} and d.status = 'failed'`,
      );
    },
  };
}

const isOurs = ({ alertId, channelId }: DeliveryKey) => isUuid(alertId) && isUuid(channelId);

/** The ids of the tenants' alerts and of the platform's are never the same. */
const isOf = ({ alertId, channelId }: DeliveryKey) =>
  sql`(d.alert_id = ${alertId} or d.platform_alert_id = ${alertId}) and d.channel_id = ${channelId}`;

function keyFromRow(row: Row): DeliveryKey {
  return { alertId: row["alert_id"] as AlertId, channelId: row["channel_id"] as ChannelId };
}

/** @throws ZodError when a column is not what the schema says. */
function dispatchFromRow(row: Row): Dispatch | PlatformDispatch {
  const delivery = deliveryFromRow(row["delivery"]);
  const channel = channelFromRow(row["channel"]);
  const platformAlert = row["platform_alert"];
  if (platformAlert !== null) return { delivery, channel, platformAlert: platformAlertFromRow(platformAlert) };
  return {
    delivery,
    alert: alertFromRow(row["alert"]),
    channel,
    tenantName: row["tenant_name"] as string | null,
    alertThreshold: percent.parse(row["alert_threshold"]),
    graceThreshold: percent.parse(row["grace_threshold"]),
    enforcement: row["enforcement"] as Enforcement,
  };
}
