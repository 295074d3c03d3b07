// Inserts alerts, channels and deliveries into Postgres without an adapter. A test sets only the columns that matter.

import type { ChannelKind } from "../../../src/records/channel.ts";
import type { DeliveryKey, DeliveryStatus } from "../../../src/records/delivery.ts";
import { NOW, PERIOD_START, RESET } from "../../budget/builders.ts";
import type { TenantDatabase } from "../servers/tenant-database.ts";
import { alertIdOf, channelIdOf, uuidOf } from "./notice-builders.ts";

/** Inserts the 80 % alert of `acme`: $400 of $500. */
export async function insertAlert(db: TenantDatabase, differences: Record<string, unknown> = {}): Promise<void> {
  await insert(db, "budget_alert_history", {
    id: uuidOf(1),
    tenant_id: "acme",
    identity: `identity of ${differences["id"] ?? uuidOf(1)}`,
    event_type: "threshold_crossed",
    threshold: "80",
    spend: "400",
    max_budget: "500",
    limit_amount: "500",
    percentage: "80",
    period_started_at: new Date(PERIOD_START),
    resets_at: new Date(RESET),
    limit_version: 1,
    created_at: new Date(NOW),
    ...differences,
  });
}

export async function insertChannel(
  db: TenantDatabase,
  differences: { kind?: ChannelKind } & Record<string, unknown> = {},
): Promise<void> {
  await insert(db, "notification_channels", {
    id: uuidOf(1),
    tenant_id: null,
    kind: "slack",
    name: "ops",
    sealed_target: "sealed",
    target_hint: "hooks.slack.com",
    created_at: new Date(NOW),
    updated_at: new Date(NOW),
    ...differences,
  });
}

export async function insertDelivery(
  db: TenantDatabase,
  differences: Partial<DeliveryKey> & { status?: DeliveryStatus } & Record<string, unknown> = {},
): Promise<void> {
  const { alertId = alertIdOf(1), channelId = channelIdOf(1), ...columns } = differences;
  await insert(db, "notice_deliveries", {
    alert_id: alertId,
    channel_id: channelId,
    next_attempt_at: new Date(NOW),
    updated_at: new Date(NOW),
    ...columns,
  });
}

async function insert(db: TenantDatabase, table: string, row: Record<string, unknown>): Promise<void> {
  const columns = Object.keys(row);
  const places = columns.map((_, index) => `$${index + 1}`);
  await db.query(`insert into ${table} (${columns}) values (${places})`, Object.values(row));
}
