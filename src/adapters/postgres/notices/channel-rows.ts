// From Postgres' rows to a ChannelRecord: which columns are read, and what they become. Reads nothing itself, opens no target.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { TenantId } from "../../../budget/tenant.ts";
import type { ChannelId, ChannelRecord } from "../../../records/channel.ts";
import { ms } from "../instants.ts";

/** A channel in one column, as `channelFromRow` reads it. The alias of `notification_channels` is `c`. */
export const channelColumn = sql`json_build_object('id', c.id, 'tenant_id', c.tenant_id, 'kind', c.kind,
  'name', c.name, 'sealed_target', c.sealed_target, 'target_hint', c.target_hint, 'enabled', c.enabled,
  'created_at', ${ms("c.created_at")}, 'updated_at', ${ms("c.updated_at")})`;

const row = z.object({
  id: z.string(),
  tenant_id: z.string().nullable(),
  kind: z.enum(["slack", "email", "webhook"]),
  name: z.string(),
  sealed_target: z.string(),
  target_hint: z.string(),
  enabled: z.boolean(),
  created_at: z.number(),
  updated_at: z.number(),
});

/** @throws ZodError when it is not what `channelColumn` selects: a bug or a foreign table. */
export function channelFromRow(raw: unknown): ChannelRecord {
  const read = row.parse(raw);
  return {
    id: read.id as ChannelId,
    tenantId: read.tenant_id as TenantId | null,
    kind: read.kind,
    name: read.name,
    encryptedTarget: read.sealed_target,
    targetHint: read.target_hint,
    enabled: read.enabled,
    createdAt: read.created_at,
    updatedAt: read.updated_at,
  };
}
