// The history of alerts with how the notices of each fare: one statement, from the newest on. Changes nothing.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { TenantId } from "../../../budget/tenant.ts";
import type { AlertListRow } from "../../../records/delivery.ts";
import type { Page, PageQuery } from "../../../records/page.ts";
import { type Database, type Row, runStatement } from "../client.ts";
import { comesAfter, pageOf } from "../page.ts";
import { alertColumn, alertFromRow } from "./alert-rows.ts";
import { deliveryColumn, deliveryFromRow } from "./delivery-rows.ts";

/** `tenantId` null: everybody's. A tenant that is marked as deleted has no history any more. */
export async function listAlerts(
  database: Database,
  { tenantId, before, limit }: PageQuery & { readonly tenantId: TenantId | null },
): Promise<Page<AlertListRow>> {
  const ofTenant = tenantId === null ? sql`` : sql`and a.tenant_id = ${tenantId}`;
  const rows = await runStatement(
    database,
    sql`select ${alertColumn} as alert,
      (select coalesce(json_agg(json_build_object('delivery', ${deliveryColumn}, 'channel_name', c.name,
          'channel_kind', c.kind) order by c.created_at, c.id), '[]'::json)
        from notice_deliveries d join notification_channels c on c.id = d.channel_id
        where d.alert_id = a.id) as deliveries
      from budget_alert_history a join tenant_configs t on t.tenant_id = a.tenant_id and t.deleted_at is null
      where ${comesAfter(before, "a")} ${ofTenant}
      order by a.created_at desc, a.id limit ${limit + 1}`,
  );
  return pageOf(rows.map(listRowFrom), limit, ({ alert }) => ({ at: alert.createdAt, id: alert.id }));
}

const listedDeliveries = z.array(
  z.object({ delivery: z.unknown(), channel_name: z.string(), channel_kind: z.enum(["slack", "email", "webhook"]) }),
);

function listRowFrom(row: Row): AlertListRow {
  const deliveries = listedDeliveries.parse(row["deliveries"]);
  return {
    alert: alertFromRow(row["alert"]),
    deliveries: deliveries.map(({ delivery, channel_name, channel_kind }) => ({
      ...deliveryFromRow(delivery),
      channelName: channel_name,
      channelKind: channel_kind,
    })),
  };
}
