// The deliveries of notices in Postgres. One statement per verb; a delivery that has ended keeps its outcome.

import { and, eq, or, type SQL, sql } from "drizzle-orm";
import type { Deliveries } from "../../../ports/stores.ts";
import type { AlertId } from "../../../records/alert.ts";
import type { ChannelId } from "../../../records/channel.ts";
import type { DeliveryKey, Dispatch } from "../../../records/delivery.ts";
import type { PlatformDispatch } from "../../../records/platform-alert.ts";
import { isUuid } from "../../../wire/uuid.ts";
import { alertFromRow, percent } from "../alerts/alert-rows.ts";
import { deliveryFromRow } from "../alerts/delivery-rows.ts";
import { platformAlertFromRow } from "../alerts/platform-alerts.ts";
import { type Database, type Row, runQuery, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { postgresText } from "../postgres-text.ts";
import { platformAlerts } from "../schema/platform-tables.ts";
import {
  budgetAlertHistory as alerts,
  notificationChannels as channels,
  noticeDeliveries as deliveries,
  tenantConfigs,
} from "../schema/tables.ts";
import { channelFromRow } from "./channel-rows.ts";

export function postgresDeliveries(database: Database): Deliveries {
  const update = async (key: DeliveryKey, status: "pending" | "failed", values: DeliveryUpdate) => {
    if (!isOurs(key)) return;
    await runQuery(database, (db) =>
      db
        .update(deliveries)
        .set(values)
        .where(and(isOf(key), eq(deliveries.status, status))),
    );
  };
  return {
    load: (key) => loadDispatch(database, key),

    async end(key, { status, error, at }) {
      await update(key, "pending", {
        status,
        lastError: error === null ? null : postgresText(error),
        sentAt: status === "sent" ? new Date(at) : null,
        // A skipped notice was never sent.
        ...(status !== "skipped" && { attempts: ONE_MORE }),
        nextAttemptAt: null,
        updatedAt: new Date(at),
      });
    },

    async postpone(key, { error, nextAttemptAt, at }) {
      await update(key, "pending", {
        attempts: ONE_MORE,
        lastError: postgresText(error),
        nextAttemptAt: new Date(nextAttemptAt),
        updatedAt: new Date(at),
      });
    },

    async claimOverdue(before, limit, now) {
      const rows = await runStatement(
        database,
        sql`with overdue as (select coalesce(d.alert_id, d.platform_alert_id) as alert_id, d.channel_id,
              d.next_attempt_at as due_at
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
      const at = new Date(now);
      const anew = { status: "pending", attempts: 0, lastError: null, nextAttemptAt: at, updatedAt: at } as const;
      await update(key, "failed", anew);
    },
  };
}

type DeliveryUpdate = Partial<Omit<typeof deliveries.$inferInsert, "attempts">> & { attempts?: number | SQL };

const ONE_MORE = sql`${deliveries.attempts} + 1`;

const isOurs = ({ alertId, channelId }: DeliveryKey) => isUuid(alertId) && isUuid(channelId);

/** An alert of a tenant and an alert of the platform never have the same id. */
const isOf = ({ alertId, channelId }: DeliveryKey) =>
  and(
    or(eq(deliveries.alertId, alertId), eq(deliveries.platformAlertId, alertId)),
    eq(deliveries.channelId, channelId),
  );

async function loadDispatch(database: Database, key: DeliveryKey): Promise<Dispatch | PlatformDispatch | null> {
  if (!isOurs(key)) return null;
  const [row] = await runQuery(database, (db) =>
    db
      .select({
        delivery: deliveries,
        channel: channels,
        platformAlert: platformAlerts,
        alert: alerts,
        // Drizzle takes a joined object for missing when its first column is null, so that one must never be.
        tenant: {
          enforcement: tenantConfigs.enforcement,
          name: tenantConfigs.name,
          alertThreshold: tenantConfigs.alertThreshold,
          graceThreshold: tenantConfigs.graceThreshold,
        },
      })
      .from(deliveries)
      .innerJoin(channels, eq(channels.id, deliveries.channelId))
      .leftJoin(platformAlerts, eq(platformAlerts.id, deliveries.platformAlertId))
      .leftJoin(alerts, eq(alerts.id, deliveries.alertId))
      .leftJoin(tenantConfigs, eq(tenantConfigs.tenantId, alerts.tenantId))
      .where(isOf(key)),
  );
  if (row === undefined) return null;
  const delivery = deliveryFromRow(row.delivery);
  const channel = channelFromRow(row.channel);
  if (row.platformAlert !== null) return { delivery, channel, platformAlert: platformAlertFromRow(row.platformAlert) };
  const { alert, tenant } = row;
  if (alert === null || tenant === null) throw new Error("a delivery without its alert");
  return {
    delivery,
    alert: alertFromRow(alert),
    channel,
    tenantName: tenant.name,
    alertThreshold: percent.parse(tenant.alertThreshold),
    graceThreshold: percent.parse(tenant.graceThreshold),
    enforcement: tenant.enforcement,
  };
}

function keyFromRow(row: Row): DeliveryKey {
  return { alertId: row["alert_id"] as AlertId, channelId: row["channel_id"] as ChannelId };
}
