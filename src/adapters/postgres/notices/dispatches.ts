// Loads deliveries with everything that their notices are rendered from. Changes nothing.

import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import type { Deliveries } from "../../../ports/notice-stores.ts";
import type { DeliveryKey } from "../../../records/delivery.ts";
import type { NoticeDispatch } from "../../../records/platform-alert.ts";
import { isUuid } from "../../../wire/uuid.ts";
import { alertFromRow, percent } from "../alerts/alert-rows.ts";
import { deliveryFromRow } from "../alerts/delivery-rows.ts";
import { platformAlertFromRow } from "../alerts/platform-alerts.ts";
import { type Database, runQuery } from "../client.ts";
import { readEach } from "../read-each.ts";
import { notificationChannels as channels, noticeDeliveries as deliveries } from "../schema/notice-tables.ts";
import { platformAlerts } from "../schema/platform-tables.ts";
import { budgetAlertHistory as alerts, tenantConfigs } from "../schema/tables.ts";
import { metadata } from "../tenants/tenant-rows.ts";
import { channelFromRow } from "./channel-rows.ts";

/** One statement. A delivery of a digest is never sent by itself, even if a message names it. */
export async function loadDispatches(
  database: Database,
  keys: readonly DeliveryKey[],
  onUnreadable?: Parameters<Deliveries["load"]>[1],
): Promise<NoticeDispatch[]> {
  const ours = keys.filter(isOurs);
  if (ours.length === 0) return [];
  const rows = await runQuery(database, (db) =>
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
          metadata: tenantConfigs.metadata,
          alertThreshold: tenantConfigs.alertThreshold,
          graceThreshold: tenantConfigs.graceThreshold,
        },
      })
      .from(deliveries)
      .innerJoin(channels, eq(channels.id, deliveries.channelId))
      .leftJoin(platformAlerts, eq(platformAlerts.id, deliveries.platformAlertId))
      .leftJoin(alerts, eq(alerts.id, deliveries.alertId))
      .leftJoin(tenantConfigs, eq(tenantConfigs.tenantId, alerts.tenantId))
      .where(and(isNull(deliveries.digestAt), isOneOf(ours))),
  );
  return readEach(
    rows,
    dispatchFromRow,
    onUnreadable && (({ delivery }, cause) => onUnreadable(deliveryFromRow(delivery), cause)),
  );
}

export const isOurs = ({ alertId, channelId }: DeliveryKey) => isUuid(alertId) && isUuid(channelId);

/** Two lists, because each has an index. An alert of a tenant and one of the platform never have the same id. */
function isOneOf(keys: readonly DeliveryKey[]): SQL {
  const pairs = sql.join(
    keys.map(({ alertId, channelId }) => sql`(${alertId}::uuid, ${channelId}::uuid)`),
    sql`, `,
  );
  return sql`((${deliveries.alertId}, ${deliveries.channelId}) in (${pairs})
    or (${deliveries.platformAlertId}, ${deliveries.channelId}) in (${pairs}))`;
}

function dispatchFromRow(row: {
  delivery: typeof deliveries.$inferSelect;
  channel: typeof channels.$inferSelect;
  platformAlert: typeof platformAlerts.$inferSelect | null;
  alert: typeof alerts.$inferSelect | null;
  tenant: Pick<
    typeof tenantConfigs.$inferSelect,
    "enforcement" | "name" | "metadata" | "alertThreshold" | "graceThreshold"
  > | null;
}): NoticeDispatch {
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
    tenantMetadata: metadata.parse(tenant.metadata),
    alertThreshold: percent.parse(tenant.alertThreshold),
    graceThreshold: percent.parse(tenant.graceThreshold),
    enforcement: tenant.enforcement,
  };
}
