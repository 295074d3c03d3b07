// The history of alerts with the deliveries of each: one statement, the newest alert first. Changes nothing.

import { and, desc, eq, inArray } from "drizzle-orm";
import type { AlertListQuery } from "../../../ports/notice-stores.ts";
import type { Page } from "../../../ports/page.ts";
import type { AlertListRow } from "../../../records/delivery.ts";
import { type Database, runQuery } from "../client.ts";
import { comesAfter, isWithin, pageOf } from "../page.ts";
import { notificationChannels as channels, noticeDeliveries as deliveries } from "../schema/notice-tables.ts";
import { budgetAlertHistory as alerts } from "../schema/tables.ts";
import { alertFromRow } from "./alert-rows.ts";
import { deliveryFromRow } from "./delivery-rows.ts";

/** One row of the join: an alert, and one of its deliveries where it has any. */
interface JoinedRow {
  readonly alert: typeof alerts.$inferSelect;
  readonly delivery: typeof deliveries.$inferSelect | null;
  readonly channel: Pick<typeof channels.$inferSelect, "name" | "kind"> | null;
}

/** The history of a deleted tenant can be read until its row is deleted. */
export async function listAlerts(
  database: Database,
  { tenantId, eventType = null, before, limit, ...range }: AlertListQuery,
): Promise<Page<AlertListRow>> {
  const rows = await runQuery(database, (db) => {
    const page = db
      .select({ id: alerts.id })
      .from(alerts)
      .where(
        and(
          comesAfter(before, alerts.createdAt, alerts.id),
          tenantId === null ? undefined : eq(alerts.tenantId, tenantId),
          eventType === null ? undefined : eq(alerts.eventType, eventType),
          isWithin(range, alerts.createdAt),
        ),
      )
      .orderBy(desc(alerts.createdAt), alerts.id)
      .limit(limit + 1);
    return db
      .select({ alert: alerts, delivery: deliveries, channel: { name: channels.name, kind: channels.kind } })
      .from(alerts)
      .leftJoin(deliveries, eq(deliveries.alertId, alerts.id))
      .leftJoin(channels, eq(channels.id, deliveries.channelId))
      .where(inArray(alerts.id, page))
      .orderBy(desc(alerts.createdAt), alerts.id, channels.createdAt, channels.id);
  });
  return pageOf(listRowsFrom(rows), limit, ({ alert }) => ({ at: alert.createdAt, id: alert.id }));
}

/** The rows of one alert follow each other. */
function listRowsFrom(rows: readonly JoinedRow[]): AlertListRow[] {
  const byAlert = Map.groupBy(rows, ({ alert }) => alert.id);
  return [...byAlert.values()].flatMap((ofAlert) => {
    const [first] = ofAlert;
    return first === undefined
      ? []
      : [{ alert: alertFromRow(first.alert), deliveries: ofAlert.flatMap(listedDeliveriesFrom) }];
  });
}

function listedDeliveriesFrom({ delivery, channel }: JoinedRow): AlertListRow["deliveries"] {
  if (delivery === null || channel === null) return [];
  return [{ ...deliveryFromRow(delivery), channelName: channel.name, channelKind: channel.kind }];
}
