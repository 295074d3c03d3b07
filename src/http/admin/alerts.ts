// `/v1/alerts` and the alerts of a tenant, with their deliveries, the newest first. Reads only.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { ALERT_EVENT_TYPES } from "../../budget/alert.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { AppEnv } from "../app-env.ts";
import { requireRead } from "../auth.ts";
import { pageCursor, pageSize, tenantId, timeRange } from "../fields.ts";
import { noSuchTenant } from "../problem.ts";
import { readQuery } from "../request/read-request.ts";
import { alertJson } from "./alert-json.ts";
import { tenantOfHistory } from "./tenants/deleted-tenant.ts";

/** Of a tenant's alerts. */
export const alertListQuery = z.strictObject({
  event_type: z.enum(ALERT_EVENT_TYPES).optional(),
  ...timeRange,
  cursor: pageCursor.optional(),
  limit: pageSize,
});

/** Of all alerts, also those of deleted tenants. */
export const allAlertsQuery = alertListQuery.extend({ tenant_id: tenantId.optional() });

export const alertRoutes = new Hono<AppEnv>()
  .get("/v1/alerts", requireRead, async (c) => {
    const query = readQuery(c, allAlertsQuery);
    return query.ok ? list(c, query.value.tenant_id ?? null, query.value) : query.failure;
  })
  .get("/v1/tenants/:id/alerts", requireRead, async (c) => {
    const query = readQuery(c, alertListQuery);
    if (!query.ok) return query.failure;
    const tenant = await tenantOfHistory(c, c.req.param("id"));
    return tenant === null ? noSuchTenant(c) : list(c, tenant.config.tenantId, query.value);
  });

async function list(
  c: Context<AppEnv>,
  ofTenant: TenantId | null,
  asked: z.output<typeof alertListQuery>,
): Promise<Response> {
  const { event_type: eventType = null, cursor = null, since = null, until = null, limit } = asked;
  const page = await c.get("ports").alerts.list({ tenantId: ofTenant, eventType, since, until, before: cursor, limit });
  return c.json({ data: page.rows.map(alertJson), next_cursor: page.next });
}
