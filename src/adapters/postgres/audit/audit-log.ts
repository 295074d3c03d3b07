// The Audit port: reads the trail, from the newest line on. Writes nothing; changes write their own lines.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { TenantId } from "../../../budget/tenant.ts";
import type { Audit } from "../../../ports/stores.ts";
import type { AuditRecord } from "../../../records/audit.ts";
import { type Database, type Row, runStatement } from "../client.ts";

export function postgresAuditLog(database: Database): Audit {
  return {
    /** Ids rise with every line, so the last one of a page is where the next begins. */
    async list({ tenantId, before, limit }) {
      const ofTenant = tenantId === null ? sql`` : sql`and tenant_id = ${tenantId}`;
      const isBefore = before === null ? sql`true` : sql`id < ${before}::bigint`;
      const found = await runStatement(
        database,
        sql`select id::float8, (extract(epoch from at) * 1000)::float8 as at, actor, action, tenant_id, request_id,
            before, after, detail
          from audit_log where ${isBefore} ${ofTenant} order by id desc limit ${limit + 1}`,
      );
      const rows = found.slice(0, limit).map(auditFromRow);
      const last = rows.at(-1);
      return { rows, next: found.length > limit && last !== undefined ? String(last.id) : null };
    },
  };
}

const line = z.object({
  id: z.number(),
  at: z.number(),
  actor: z.string(),
  action: z.string(),
  tenant_id: z.string().nullable(),
  request_id: z.string().nullable(),
  before: z.unknown(),
  after: z.unknown(),
  detail: z.unknown(),
});

function auditFromRow(row: Row): AuditRecord {
  const { tenant_id, request_id, ...read } = line.parse(row);
  return { ...read, tenantId: tenant_id as TenantId | null, requestId: request_id };
}
