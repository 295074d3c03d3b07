// `/v1/tenants`: create or adopt, list, read, change, delete. Translates only; the flows decide and do.
// What is done to a tenant besides (suspend, resume, reset) is tenant-actions.ts.

import { type Context, Hono } from "hono";
import type * as z from "zod";
import type { Subject, TenantId } from "../../../budget/tenant.ts";
import { type ChangeTenantFailure, changeTenant } from "../../../flows/tenants/change-tenant.ts";
import { type CreateTenantFailure, createTenant, type TenantOrigin } from "../../../flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../flows/tenants/delete-tenant.ts";
import { tenantCursorOf } from "../../../wire/tenant-cursor.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin, requireRead } from "../../auth.ts";
import { emptyQuery } from "../../fields.ts";
import { dependencyUnavailable, invalidFields, noSuchTenant, otherVersion, problem } from "../../problem.ts";
import { etagOf, ifMatch } from "../../request/if-match.ts";
import { readBody, readDeletion, readQuery } from "../../request/read-request.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once } from "../idempotency.ts";
import { notChanged, tenantDeleted, tenantOfHistory } from "./deleted-tenant.ts";
import { refusedByLiteLlm } from "./litellm-refusal.ts";
import { tenantAnswer, tenantJson } from "./tenant-json.ts";
import {
  changeFrom,
  countsJson,
  newTenantBody,
  TOO_MANY_PAIRS,
  tenantChangeBody,
  tenantListQuery,
} from "./tenant-schemas.ts";
import { newKeyAnswer, newVirtualKey } from "./virtual-key.ts";

type NewTenantBody = z.output<typeof newTenantBody>;

const NO_MAX_BUDGET = "must be sent, because LiteLLM has none for it; or adopt with enforcement observe";

export const tenantRoutes = new Hono<AppEnv>()
  .post("/v1/tenants", requireAdmin, async (c) => {
    const body = await readBody(c, newTenantBody);
    if (!body.ok) return body.failure;
    const { json, fields } = body.value;
    return once(c, { route: "POST /v1/tenants", json }, (isUnanswered) => create(c, fields, isUnanswered));
  })
  .get("/v1/tenants", requireRead, async (c) => {
    const query = readQuery(c, tenantListQuery);
    if (!query.ok) return query.failure;
    const list = await c.get("ports").tenants.list(query.value);
    return c.json({
      data: list.tenants.map((tenant) => tenantJson(tenant, c.get("now"))),
      next_cursor: list.next === null ? null : tenantCursorOf(query.value.sort, list.next),
      counts: countsJson(list.counts),
    });
  })
  .get("/v1/tenants/:id", requireRead, async (c) => {
    const query = readQuery(c, emptyQuery);
    if (!query.ok) return query.failure;
    const tenant = await tenantOfHistory(c, c.req.param("id"));
    return tenant === null ? noSuchTenant(c) : tenantAnswer(c, tenant);
  })
  .patch("/v1/tenants/:id", requireAdmin, ifMatch, async (c) => {
    const body = await readBody(c, tenantChangeBody);
    if (!body.ok) return body.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const change = changeFrom(body.value.fields);
    const changed = await changeTenant({ tenantId, change, actor: c.get("actor") }, c.get("ports"));
    return changed.ok ? tenantAnswer(c, changed.value) : changeProblem(c, tenantId, changed.failure);
  })
  .delete("/v1/tenants/:id", requireAdmin, ifMatch, async (c) => {
    const deletion = await readDeletion(c);
    if (!deletion.ok) return deletion.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const deleted = await deleteTenant({ tenantId, actor: c.get("actor") }, c.get("ports"));
    if (!deleted.ok) return deleted.failure === "other_version" ? otherVersion(c) : noSuchTenant(c);
    if (deleted.value === "deleted") return c.body(null, 204);
    return c.json({ tenant_id: tenantId, litellm_sync: "pending" }, 202);
  });

async function create(c: Context<AppEnv>, body: NewTenantBody, isUnanswered: boolean): Promise<OnceAnswer> {
  const origin = await originOf(body);
  const input = { tenantId: body.tenant_id, settings: changeFrom(body), origin, actor: c.get("actor"), isUnanswered };
  const created = await createTenant(input, c.get("ports"));
  if (!created.ok) return { response: await creationProblem(c, body, created.failure), kept: null };
  if (origin.kind === "own_key") return newKeyAnswer(c, created.value);
  const { tenant } = created.value;
  const shown = tenantJson(tenant, c.get("now"));
  const location = `/v1/tenants/${body.tenant_id}`;
  const response = c.json(shown, 201, { Location: location, ETag: etagOf(tenant.settingsVersion) });
  return { response, kept: { status: 201, location, body: shown } };
}

async function changeProblem(c: Context<AppEnv>, tenantId: TenantId, reason: ChangeTenantFailure): Promise<Response> {
  return reason === "too_many_pairs"
    ? invalidFields(c, [{ field: "metadata", message: TOO_MANY_PAIRS }])
    : notChanged(c, tenantId, reason);
}

async function originOf(body: NewTenantBody): Promise<TenantOrigin> {
  if (body.litellm_team_id !== undefined) return adopted({ kind: "team", id: body.litellm_team_id });
  if (body.litellm_key !== undefined) return adopted({ kind: "key", id: body.litellm_key });
  return { kind: "own_key", ...(await newVirtualKey()) };
}

const adopted = (subject: Subject): TenantOrigin => ({ kind: "adopted", subject });

async function creationProblem(
  c: Context<AppEnv>,
  body: NewTenantBody,
  reason: CreateTenantFailure,
): Promise<Response> {
  const field = body.litellm_team_id === undefined ? "litellm_key" : "litellm_team_id";
  switch (reason.kind) {
    case "tenant_taken":
      return tenantTaken(c, body.tenant_id);
    case "subject_taken":
      return problem(c, "subject-taken", { members: { errors: [{ field, message: "belongs to another tenant" }] } });
    case "other_body":
      return problem(c, "idempotency-key-reused");
    case "subject_not_found":
      return invalidFields(c, [{ field, message: "must exist in LiteLLM" }]);
    case "no_max_budget":
      return invalidFields(c, [{ field: "max_budget", message: NO_MAX_BUDGET }]);
    case "litellm_refused":
      return refusedByLiteLlm(c, reason);
    case "litellm_unreachable":
      return dependencyUnavailable(c, "LiteLLM cannot be reached. Nothing was changed.");
  }
}

async function tenantTaken(c: Context<AppEnv>, tenantId: TenantId): Promise<Response> {
  const tenant = await c.get("ports").tenants.loadEvenDeleted(tenantId);
  return tenant === null || tenant.deletedAt === null
    ? problem(c, "tenant-taken", { detail: `There is a tenant ${tenantId} already.` })
    : tenantDeleted(c, tenantId, tenant.deletedAt);
}
