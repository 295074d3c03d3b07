// From a row of `notification_channels` to a ChannelRecord. Reads nothing itself, decrypts no target.

import type { TenantId } from "../../../budget/tenant.ts";
import type { ChannelId, ChannelRecord } from "../../../records/channel.ts";
import { instantOf } from "../instants.ts";
import type { notificationChannels } from "../schema/notice-tables.ts";

export function channelFromRow(row: typeof notificationChannels.$inferSelect): ChannelRecord {
  return {
    ...row,
    id: row.id as ChannelId,
    tenantId: row.tenantId as TenantId | null,
    lastErrorAt: instantOf(row.lastErrorAt),
    brokenSince: instantOf(row.brokenSince),
    createdAt: instantOf(row.createdAt),
    updatedAt: instantOf(row.updatedAt),
  };
}
