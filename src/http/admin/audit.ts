// `/v1/audit`: who changed what, the newest line first, also for deleted tenants. Reads only.

import { Hono } from "hono";
import * as z from "zod";
import { iso } from "../../budget/instant.ts";
import { detailJson } from "../../notices/detail.ts";
import type { AuditAction, AuditRecord } from "../../records/audit.ts";
import { linePositionOf } from "../../wire/page-cursor.ts";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin } from "../auth.ts";
import { lineOfText, NO_CURSOR, pageSize, tenantId, timeRange } from "../fields.ts";
import { readQuery } from "../request/read-request.ts";

const cursor = z.string(NO_CURSOR).refine((text) => linePositionOf(text) !== null, NO_CURSOR);

/** A record, so that no action can be left out. */
const ACTIONS = Object.keys({
  tenant_created: true,
  tenant_changed: true,
  tenant_deleted: true,
  tenant_restored: true,
  tenant_suspended: true,
  tenant_resumed: true,
  subject_missing: true,
  subject_blocked: true,
  subject_usable: true,
  key_created: true,
  key_replaced: true,
  key_removed: true,
  mark_copied: true,
  period_advanced: true,
  period_reset: true,
  override_granted: true,
  override_revoked: true,
  override_ended: true,
  channel_created: true,
  channel_changed: true,
  channel_deleted: true,
  channel_broken: true,
  alert_recorded: true,
  platform_alert_recorded: true,
  webhook_received: true,
  webhook_unmatched: true,
  spend_tracked: true,
  spend_fell: true,
  dead_letter_replayed: true,
} satisfies Record<AuditAction, true>) as [AuditAction, ...AuditAction[]];

export const auditQuery = z.strictObject({
  tenant_id: tenantId.optional(),
  actor: lineOfText(200).optional(),
  action: z.enum(ACTIONS).optional(),
  ...timeRange,
  cursor: cursor.optional(),
  limit: pageSize,
});

export const auditRoutes = new Hono<AppEnv>().get("/v1/audit", requireAdmin, async (c) => {
  const query = readQuery(c, auditQuery);
  if (!query.ok) return query.failure;
  const { tenant_id: tenantId = null, actor = null, action = null, since = null, until = null } = query.value;
  const { cursor: before = null, limit } = query.value;
  const page = await c.get("ports").audit.list({ tenantId, actor, action, since, until, before, limit });
  return c.json({ data: page.rows.map(auditJson), next_cursor: page.next });
});

function auditJson({ id, at, actor, action, tenantId, requestId, before, after, detail }: AuditRecord) {
  return {
    id,
    at: iso(at),
    actor,
    action,
    tenant_id: tenantId,
    request_id: requestId,
    before,
    after,
    detail: detail && detailJson(detail as Readonly<Record<string, unknown>>),
  };
}
