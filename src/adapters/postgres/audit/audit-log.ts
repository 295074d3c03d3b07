// The Audit port: reads the trail, the newest line first. Writes nothing; each change writes its own line.

import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import type { TenantId } from "../../../budget/tenant.ts";
import type { Audit } from "../../../ports/stores.ts";
import type { AuditRecord } from "../../../records/audit.ts";
import { lineCursorOf, linePositionOf } from "../../../wire/page-cursor.ts";
import { type Database, runQuery } from "../client.ts";
import { instantOf, timestampOf } from "../instants.ts";
import { isWithin } from "../page.ts";
import { auditLog } from "../schema/audit-tables.ts";

export function postgresAuditLog(database: Database): Audit {
  return {
    /** By time, because the ids of lines that are written at once need not rise with it. */
    async list({ tenantId, actor = null, action = null, before, limit, ...range }) {
      const isAsked = and(
        tenantId === null ? undefined : eq(auditLog.tenantId, tenantId),
        actor === null ? undefined : eq(auditLog.actor, actor),
        action === null ? undefined : eq(auditLog.action, action),
        isWithin(range, auditLog.at),
      );
      const found = await runQuery(database, (db) =>
        db
          .select()
          .from(auditLog)
          .where(and(isBefore(before), isAsked))
          .orderBy(desc(auditLog.at), desc(auditLog.id))
          .limit(limit + 1),
      );
      const rows = found.slice(0, limit).map(auditFromRow);
      const last = rows.at(-1);
      return { rows, next: found.length > limit && last !== undefined ? lineCursorOf(last) : null };
    },
  };
}

/** @throws Error when the text is no cursor. The route has validated it. */
function isBefore(cursor: string | null): SQL | undefined {
  if (cursor === null) return undefined;
  const position = linePositionOf(cursor);
  if (position === null) throw new Error("not a cursor");
  return sql`(${auditLog.at}, ${auditLog.id}) < (${timestampOf(position.at)}, ${position.id})`;
}

function auditFromRow({ sourceId: _, requestHash: __, ...row }: typeof auditLog.$inferSelect): AuditRecord {
  return { ...row, at: instantOf(row.at), tenantId: row.tenantId as TenantId | null };
}
