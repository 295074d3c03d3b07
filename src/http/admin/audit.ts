// `/v1/audit`: who changed what, the newest line first, also for deleted tenants. Reads only.

import { Hono } from "hono";
import * as z from "zod";
import { iso } from "../../budget/instant.ts";
import type { AuditRecord } from "../../records/audit.ts";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin } from "../auth.ts";
import { NO_CURSOR, pageSize, tenantId } from "../fields.ts";
import { readQuery } from "../request/read-request.ts";

/** The id of the last line. Fifteen digits are exact as a number, and enough for every line. */
const cursor = z.string(NO_CURSOR).regex(/^[1-9]\d{0,14}$/, NO_CURSOR);

export const auditQuery = z.strictObject({
  tenant_id: tenantId.optional(),
  cursor: cursor.optional(),
  limit: pageSize,
});

export const auditRoutes = new Hono<AppEnv>().get("/v1/audit", requireAdmin, async (c) => {
  const query = readQuery(c, auditQuery);
  if (!query.ok) return query.failure;
  const { tenant_id = null, cursor: before = null, limit } = query.value;
  const page = await c.get("ports").audit.list({ tenantId: tenant_id, before, limit });
  return c.json({ data: page.rows.map(auditJson), next_cursor: page.next });
});

function auditJson({ id, at, actor, action, tenantId, requestId, before, after, detail }: AuditRecord) {
  return { id, at: iso(at), actor, action, tenant_id: tenantId, request_id: requestId, before, after, detail };
}
