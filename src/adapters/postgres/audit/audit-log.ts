// The Audit port: reads the trail, the newest line first. Writes nothing; each change writes its own line.

import { and, desc, eq, lt } from "drizzle-orm";
import type { TenantId } from "../../../budget/tenant.ts";
import type { Audit } from "../../../ports/stores.ts";
import type { AuditRecord } from "../../../records/audit.ts";
import { type Database, runQuery } from "../client.ts";
import { instantOf } from "../instants.ts";
import { auditLog } from "../schema/audit-tables.ts";

export function postgresAuditLog(database: Database): Audit {
  return {
    /** Ids rise with every line, so the last id of a page is the cursor of the next one. */
    async list({ tenantId, before, limit }) {
      const ofTenant = tenantId === null ? undefined : eq(auditLog.tenantId, tenantId);
      const isBefore = before === null ? undefined : lt(auditLog.id, Number(before));
      const found = await runQuery(database, (db) =>
        db
          .select()
          .from(auditLog)
          .where(and(isBefore, ofTenant))
          .orderBy(desc(auditLog.id))
          .limit(limit + 1),
      );
      const rows = found.slice(0, limit).map(auditFromRow);
      const last = rows.at(-1);
      return { rows, next: found.length > limit && last !== undefined ? String(last.id) : null };
    },
  };
}

function auditFromRow({ sourceId: _, requestHash: __, ...row }: typeof auditLog.$inferSelect): AuditRecord {
  return { ...row, at: instantOf(row.at), tenantId: row.tenantId as TenantId | null };
}
