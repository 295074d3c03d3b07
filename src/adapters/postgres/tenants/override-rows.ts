// The columns of an OverrideRecord and their conversion. Runs no statement.
// Instants leave Postgres as milliseconds and money as text, so that no double rounds them.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { TenantId } from "../../../budget/tenant.ts";
import type { OverrideRecord } from "../../../records/override.ts";
import { ms } from "../instants.ts";
import { money } from "./tenant-rows.ts";

/** An override as one JSON column for `overrideFromRow`. The alias of `budget_overrides` is `o`. */
export const overrideColumn = sql<unknown>`json_build_object('id', o.id, 'tenantId', o.tenant_id,
  'amountNanoUsd', o.override_amount::text, 'createdAt', ${ms("o.created_at")}, 'expiresAt', ${ms("o.expires_at")},
  'revokedAt', ${ms("o.revoked_at")}, 'reason', o.reason, 'createdBy', o.created_by, 'revokedBy', o.revoked_by)`;

const row = z.object({
  id: z.string(),
  tenantId: z.string(),
  amountNanoUsd: money,
  createdAt: z.number(),
  expiresAt: z.number(),
  revokedAt: z.number().nullable(),
  reason: z.string(),
  createdBy: z.string(),
  revokedBy: z.string().nullable(),
});

/** @throws ZodError when it is not what `overrideColumn` selects: a bug or a foreign table. */
export function overrideFromRow(raw: unknown): OverrideRecord {
  const read = row.parse(raw);
  return { ...read, tenantId: read.tenantId as TenantId };
}
