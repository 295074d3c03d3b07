// From Postgres' rows to a DeliveryRecord: which columns are read, and what they become. Reads nothing itself.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { AlertId } from "../../../records/alert.ts";
import type { ChannelId } from "../../../records/channel.ts";
import type { DeliveryRecord } from "../../../records/delivery.ts";
import { ms } from "../instants.ts";

/** Of a tenant's alert or of the platform's: every delivery has one of the two. */
export const ALERT_ID = sql.raw("coalesce(d.alert_id, d.platform_alert_id)");

/** A delivery in one column, as `deliveryFromRow` reads it. The alias of `notice_deliveries` is `d`. */
export const deliveryColumn = sql`json_build_object('alert_id', ${ALERT_ID}, 'channel_id', d.channel_id,
  'status', d.status, 'attempts', d.attempts, 'next_attempt_at', ${ms("d.next_attempt_at")},
  'last_error', d.last_error, 'sent_at', ${ms("d.sent_at")})`;

const row = z.object({
  alert_id: z.string(),
  channel_id: z.string(),
  status: z.enum(["pending", "sent", "skipped", "failed"]),
  attempts: z.number(),
  next_attempt_at: z.number().nullable(),
  last_error: z.string().nullable(),
  sent_at: z.number().nullable(),
});

/** @throws ZodError when it is not what `deliveryColumn` selects: a bug or a foreign table. */
export function deliveryFromRow(raw: unknown): DeliveryRecord {
  const read = row.parse(raw);
  return {
    alertId: read.alert_id as AlertId,
    channelId: read.channel_id as ChannelId,
    status: read.status,
    attempts: read.attempts,
    nextAttemptAt: read.next_attempt_at,
    lastError: read.last_error,
    sentAt: read.sent_at,
  };
}
