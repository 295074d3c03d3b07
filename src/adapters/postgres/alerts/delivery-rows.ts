// From a row of `notice_deliveries` to a DeliveryRecord. Reads nothing itself.

import type { AlertId } from "../../../records/alert.ts";
import type { ChannelId } from "../../../records/channel.ts";
import type { DeliveryKey, DeliveryRecord } from "../../../records/delivery.ts";
import { instantOf } from "../instants.ts";
import type { noticeDeliveries } from "../schema/tables.ts";

export function deliveryFromRow(row: typeof noticeDeliveries.$inferSelect): DeliveryRecord {
  return {
    // A check of the table says that a delivery has exactly one of the two.
    alertId: (row.alertId ?? row.platformAlertId) as AlertId,
    channelId: row.channelId as ChannelId,
    status: row.status,
    attempts: row.attempts,
    nextAttemptAt: instantOf(row.nextAttemptAt),
    lastError: row.lastError,
    sentAt: instantOf(row.sentAt),
  };
}

/** From a JSON array of objects with `alert_id` and `channel_id`. */
export function deliveryKeysFrom(json: unknown): DeliveryKey[] {
  return (json as { alert_id: string; channel_id: string }[]).map(({ alert_id, channel_id }) => ({
    alertId: alert_id as AlertId,
    channelId: channel_id as ChannelId,
  }));
}
