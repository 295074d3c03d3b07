// `/v1/tenants/{id}/overrides`: grant, list, revoke. Translates only; the flows decide and do.

import { type Context, Hono } from "hono";
import * as z from "zod";
import type { Instant } from "../../../budget/instant.ts";
import { instantAfter, iso, parseDuration } from "../../../budget/instant.ts";
import { usdNumber } from "../../../budget/money.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import { grantOverride } from "../../../flows/tenants/grant-override.ts";
import { revokeOverride } from "../../../flows/tenants/revoke-override.ts";
import type { OverrideRecord } from "../../../records/override.ts";
import { isUuid } from "../../../wire/uuid.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin, requireRead } from "../../auth.ts";
import {
  dateTime,
  fieldErrors,
  isKeyless,
  jsonFrom,
  money,
  NO_KEY,
  pageCursor,
  pageSize,
  readBy,
} from "../../fields.ts";
import { isoOrNull } from "../../json-instant.ts";
import { invalidFields, noSuchTenant, problem } from "../../problem.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once } from "../idempotency.ts";
import { queryFrom, timeRange } from "../list-filters.ts";
import { noLivingTenant, tenantDeleted, tenantOfHistory } from "./deleted-tenant.ts";

const PATH = "/v1/tenants/:id/overrides";

const NO_REASON = "must be a text of 1 to 500 characters";

const ONE_END = "must be sent if duration is not, and only then";

const newOverrideBody = z
  .strictObject({
    override_amount: money.refine((amount) => amount > 0n, "must be greater than 0"),
    duration: readBy(parseDuration, "must be a number and s, m, h, d, w or mo, such as 7d").optional(),
    expires_at: dateTime.optional(),
    /** One line: it becomes part of notices. */
    reason: z
      .string(NO_REASON)
      .trim()
      .min(1, NO_REASON)
      .max(500, NO_REASON)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not hold control characters")
      .refine(isKeyless, NO_KEY),
  })
  .refine((body) => (body.duration === undefined) !== (body.expires_at === undefined), {
    message: ONE_END,
    path: ["expires_at"],
    // Runs also when other fields are invalid, so that one answer names every error.
    when: ({ value }) => typeof value === "object" && value !== null,
  });

const overrideListQuery = z.strictObject({ cursor: pageCursor.optional(), limit: pageSize, ...timeRange });

export const overrideRoutes = new Hono<AppEnv>()
  .post(PATH, requireAdmin, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const json = jsonFrom(await c.req.text());
    if (json === undefined) return problem(c, "malformed-json");
    const body = newOverrideBody.safeParse(json);
    if (!body.success) return invalidFields(c, fieldErrors(body.error));
    return once(c, { route: `POST /v1/tenants/${tenantId}/overrides`, json }, () => grant(c, tenantId, body.data));
  })
  .get(PATH, requireRead, async (c) => {
    const query = queryFrom(c, overrideListQuery);
    if (!query.ok) return invalidFields(c, query.failure);
    const tenant = await tenantOfHistory(c, c.req.param("id"));
    if (tenant === null) return noSuchTenant(c);
    const { cursor = null, since = null, until = null, limit } = query.value;
    const { tenantId } = tenant.config;
    const page = await c.get("ports").overrides.list({ tenantId, before: cursor, since, until, limit });
    return c.json({ data: page.rows.map((row) => overrideJson(row, c.get("now"))), next_cursor: page.next });
  })
  .delete(`${PATH}/:overrideId`, requireAdmin, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const overrideId = c.req.param("overrideId");
    if (tenantId === null || !isUuid(overrideId)) return noSuchOverride(c);
    const revoked = await revokeOverride({ key: { tenantId, overrideId }, actor: c.get("actor") }, c.get("ports"));
    if (revoked.ok) return c.body(null, 204);
    const tenant = await tenantOfHistory(c, tenantId);
    return tenant === null || tenant.deletedAt === null
      ? noSuchOverride(c)
      : tenantDeleted(c, tenantId, tenant.deletedAt);
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
    return refused(
      granted.failure === "not_found" ? await noLivingTenant(c, tenantId) : problem(c, "idempotency-key-reused"),
    );
  }
  const shown = { ...overrideJson(granted.value.override, now), litellm_sync: granted.value.tenant.sync.status };
  return { response: c.json(shown, 201), kept: { status: 201, body: shown } };
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
