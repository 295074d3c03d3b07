// `/v1/tenants/{id}/overrides`: grant, list, revoke. Translates only; the flows decide and do.

import { type Context, Hono } from "hono";
import * as z from "zod";
import type { Instant } from "../../../budget/instant.ts";
import { instantAfter, iso, parseDuration } from "../../../budget/instant.ts";
import { usdNumber } from "../../../budget/money.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import { grantOverride } from "../../../flows/overrides/grant-override.ts";
import { revokeOverride } from "../../../flows/overrides/revoke-override.ts";
import type { NotChanged } from "../../../flows/tenants/not-changed.ts";
import type { OverrideRecord } from "../../../records/override.ts";
import { isUuid } from "../../../wire/uuid.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin, requireRead } from "../../auth.ts";
import { dateTime, emptyQuery, money, pageCursor, pageSize, readBy, reason, timeRange } from "../../fields.ts";
import { isoOrNull } from "../../json-instant.ts";
import { invalidFields, noSuchTenant, otherVersion, problem } from "../../problem.ts";
import { etagOf, ifMatch } from "../../request/if-match.ts";
import { readBody, readDeletion, readQuery } from "../../request/read-request.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once } from "../idempotency.ts";
import { noSuchPart, notChanged, tenantOfHistory } from "./deleted-tenant.ts";

const PATH = "/v1/tenants/:id/overrides";

const ONE_END = "must be sent if duration is not, and only then";

export const newOverrideBody = z
  .strictObject({
    override_amount: money.refine((amount) => amount > 0n, "must be greater than 0"),
    duration: readBy(parseDuration, "must be a number and s, m, h, d, w or mo, such as 7d").optional(),
    expires_at: dateTime.optional(),
    reason,
  })
  .refine((body) => (body.duration === undefined) !== (body.expires_at === undefined), {
    message: ONE_END,
    path: ["expires_at"],
    // Runs also when other fields are invalid, so that one answer names every error.
    when: ({ value }) => typeof value === "object" && value !== null,
  });

export const overrideListQuery = z.strictObject({ ...timeRange, cursor: pageCursor.optional(), limit: pageSize });

export const overrideRoutes = new Hono<AppEnv>()
  .post(PATH, requireAdmin, ifMatch, async (c) => {
    const body = await readBody(c, newOverrideBody);
    if (!body.ok) return body.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const { json, fields } = body.value;
    return once(c, { route: `POST /v1/tenants/${tenantId}/overrides`, json }, () => grant(c, tenantId, fields));
  })
  .get(PATH, requireRead, async (c) => {
    const query = readQuery(c, overrideListQuery);
    if (!query.ok) return query.failure;
    const tenant = await tenantOfHistory(c, c.req.param("id"));
    if (tenant === null) return noSuchTenant(c);
    const { cursor = null, since = null, until = null, limit } = query.value;
    const { tenantId } = tenant.config;
    const page = await c.get("ports").overrides.list({ tenantId, before: cursor, since, until, limit });
    return c.json({ data: page.rows.map((row) => overrideJson(row, c.get("now"))), next_cursor: page.next });
  })
  .get(`${PATH}/:overrideId`, requireRead, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const overrideId = c.req.param("overrideId");
    const query = readQuery(c, emptyQuery);
    if (!query.ok) return query.failure;
    if (tenantId === null || !isUuid(overrideId)) return noSuchOverride(c);
    const override = await c.get("ports").overrides.load({ tenantId, overrideId });
    return override === null ? noSuchOverride(c) : c.json(overrideJson(override, c.get("now")));
  })
  .delete(`${PATH}/:overrideId`, requireAdmin, ifMatch, async (c) => {
    const deletion = await readDeletion(c);
    if (!deletion.ok) return deletion.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    const overrideId = c.req.param("overrideId");
    if (tenantId === null || !isUuid(overrideId)) return noSuchOverride(c);
    const revoked = await revokeOverride({ key: { tenantId, overrideId }, actor: c.get("actor") }, c.get("ports"));
    if (revoked.ok) return c.body(null, 204);
    return revoked.failure === "other_version" ? otherVersion(c) : noSuchPart(c, tenantId, noSuchOverride);
  });

async function grant(
  c: Context<AppEnv>,
  tenantId: TenantId,
  body: z.output<typeof newOverrideBody>,
): Promise<OnceAnswer> {
  const now = c.get("now");
  const expiresAt = body.duration === undefined ? (body.expires_at ?? now) : instantAfter(now, body.duration);
  if (expiresAt <= now) {
    return refused(invalidFields(c, [{ field: "expires_at", message: "must be in the future" }]));
  }
  const id = crypto.randomUUID();
  const override = { id, tenantId, amountNanoUsd: body.override_amount, expiresAt, reason: body.reason };
  const granted = await grantOverride({ override, actor: c.get("actor") }, c.get("ports"));
  if (!granted.ok) {
    return refused(await grantProblem(c, tenantId, granted.failure));
  }
  const shown = { ...overrideJson(granted.value.override, now), litellm_sync: granted.value.tenant.sync.status };
  const { override: kept, tenant } = granted.value;
  const location = `/v1/tenants/${tenantId}/overrides/${kept.id}`;
  const headers = { Location: location, ETag: etagOf(tenant.settingsVersion) };
  return { response: c.json(shown, 201, headers), kept: { status: 201, location, body: shown } };
}

async function grantProblem(
  c: Context<AppEnv>,
  tenantId: TenantId,
  reason: NotChanged | "other_body",
): Promise<Response> {
  return reason === "other_body" ? problem(c, "idempotency-key-reused") : notChanged(c, tenantId, reason);
}

const refused = (response: Response): OnceAnswer => ({ response, kept: null });

function overrideJson(override: OverrideRecord, now: Instant) {
  return {
    id: override.id,
    tenant_id: override.tenantId,
    state: stateOf(override, now),
    currency: "USD",
    override_amount: usdNumber(override.amountNanoUsd),
    reason: override.reason,
    created_by: override.createdBy,
    created_at: iso(override.createdAt),
    expires_at: iso(override.expiresAt),
    revoked_by: override.revokedBy,
    revoked_at: isoOrNull(override.revokedAt),
  };
}

function stateOf({ revokedAt, expiresAt }: OverrideRecord, now: Instant): "active" | "ended" | "revoked" {
  if (revokedAt !== null) return "revoked";
  return now < expiresAt ? "active" : "ended";
}

function noSuchOverride(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "The tenant has no such override." });
}
