// From a row of `notice_deliveries` to a DeliveryRecord, and which channels get a delivery. Reads nothing itself.

import { type SQL, sql } from "drizzle-orm";
import type { Audience } from "../../../budget/delivery/severity.ts";
import type { AlertId } from "../../../records/alert.ts";
import type { ChannelId } from "../../../records/channel.ts";
import type { DeliveryKey, DeliveryRecord } from "../../../records/delivery.ts";
import { instantOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import type { noticeDeliveries } from "../schema/notice-tables.ts";

export function deliveryFromRow(row: typeof noticeDeliveries.$inferSelect): DeliveryRecord {
  return {
    // A check of the table says that a delivery has exactly one of the two.
    alertId: (row.alertId ?? row.platformAlertId) as AlertId,
    channelId: row.channelId as ChannelId,
    status: row.status,
    attempts: row.attempts,
    nextAttemptAt: instantOf(row.nextAttemptAt),
    turnAt: instantOf(row.turnAt),
    lastError: row.lastError,
    sentAt: instantOf(row.sentAt),
  };
}

/** True when the channel `c` gets the event of the relation `audience`. */
export const IS_IN_AUDIENCE: SQL = sql`(coalesce(audience.events && c.events, c.tenant_id is not null or audience.is_default)
  and c.min_severity = any(audience.severities))`;

/** The columns of an audience in a JSON row. */
export function audienceJson({ events, severities, isPlatformDefault }: Audience) {
  return { events, severities, is_default: isPlatformDefault };
}

/** One audience as the relation `audience`. */
export function audienceRow(audience: Audience): SQL {
  return sql`jsonb_to_record(${jsonbText(audienceJson(audience))}::jsonb)
    as audience(events text[], severities text[], is_default boolean)`;
}

/** From a JSON array of objects with `alert_id` and `channel_id`. */
export function deliveryKeysFrom(json: unknown): DeliveryKey[] {
  return (json as { alert_id: string; channel_id: string }[]).map(({ alert_id, channel_id }) => ({
    alertId: alert_id as AlertId,
    channelId: channel_id as ChannelId,
  }));
}
