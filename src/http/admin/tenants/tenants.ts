// `/v1/tenants`: create or adopt, list, read, change, delete. Translates only; the flows decide and do.
// What is done to a tenant besides (suspend, resume, reset) is tenant-actions.ts.

import { type Context, Hono } from "hono";
import type * as z from "zod";
import type { Subject } from "../../../budget/tenant.ts";
import { changeTenant } from "../../../flows/tenants/change-tenant.ts";
import { type CreateTenantFailure, createTenant, type TenantOrigin } from "../../../flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../flows/tenants/delete-tenant.ts";
import { keyHashOf } from "../../../wire/key-hash.ts";
import { tenantCursorOf } from "../../../wire/tenant-cursor.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin, requireRead } from "../../auth.ts";
import { fieldErrors, jsonFrom } from "../../fields.ts";
import { dependencyUnavailable, invalidFields, noSuchTenant, problem } from "../../problem.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once, replayed } from "../idempotency.ts";
import { refusedByLiteLlm } from "./litellm-refusal.ts";
import { tenantJson } from "./tenant-json.ts";
import { changeFrom, countsJson, newTenantBody, tenantChangeBody, tenantListQuery } from "./tenant-schemas.ts";
import { virtualKeyFrom } from "./virtual-key.ts";

type NewTenantBody = z.output<typeof newTenantBody>;

const NO_MAX_BUDGET = "must be sent, because LiteLLM has none for it; or adopt with enforcement observe";

export const tenantRoutes = new Hono<AppEnv>()
  .post("/v1/tenants", requireAdmin, async (c) => {
    const json = jsonFrom(await c.req.text());
    if (json === undefined) return problem(c, "malformed-json");
    const body = await newTenantBody.safeParseAsync(json);
    if (!body.success) return invalidFields(c, fieldErrors(body.error));
    return once(c, { route: "POST /v1/tenants", json }, (isUnanswered) => create(c, body.data, isUnanswered));
  })
  .get("/v1/tenants", requireRead, async (c) => {
    const query = tenantListQuery.safeParse(c.req.query());
    if (!query.success) return invalidFields(c, fieldErrors(query.error));
    const list = await c.get("ports").tenants.list(query.data);
    return c.json({
      data: list.tenants.map((tenant) => tenantJson(tenant, c.get("now"))),
      next_cursor: list.next === null ? null : tenantCursorOf(query.data.sort, list.next),
      counts: countsJson(list.counts),
    });
  })
  .get("/v1/tenants/:id", requireRead, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const tenant = tenantId === null ? null : await c.get("ports").tenants.load(tenantId);
    return tenant === null ? noSuchTenant(c) : c.json(tenantJson(tenant, c.get("now")));
  })
  .patch("/v1/tenants/:id", requireAdmin, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const json = jsonFrom(await c.req.text());
    if (json === undefined) return problem(c, "malformed-json");
    const body = tenantChangeBody.safeParse(json);
    if (!body.success) return invalidFields(c, fieldErrors(body.error));
    const changed = await changeTenant(
      { tenantId, change: changeFrom(body.data), actor: c.get("actor") },
      c.get("ports"),
    );
    return changed.ok ? c.json(tenantJson(changed.value, c.get("now"))) : noSuchTenant(c);
  })
  .delete("/v1/tenants/:id", requireAdmin, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const deleted = await deleteTenant({ tenantId, actor: c.get("actor") }, c.get("ports"));
    if (!deleted.ok) return noSuchTenant(c);
    if (deleted.value === "deleted") return c.body(null, 204);
    return c.json({ tenant_id: tenantId, litellm_sync: "pending" }, 202);
  });

async function create(c: Context<AppEnv>, body: NewTenantBody, isUnanswered: boolean): Promise<OnceAnswer> {
  const origin = await originOf(body);
  const input = { tenantId: body.tenant_id, settings: changeFrom(body), origin, actor: c.get("actor"), isUnanswered };
  const created = await createTenant(input, c.get("ports"));
  if (!created.ok) return { response: creationProblem(c, body, created.failure), kept: null };
  const { tenant, virtualKey } = created.value;
  const shown = tenantJson(tenant, c.get("now"));
  const note = `The virtual key is shown once. POST /v1/tenants/${body.tenant_id}/keys makes a new one.`;
  const kept = { status: 201, body: origin.kind === "own_key" ? { ...shown, note } : shown };
  if (origin.kind === "own_key" && virtualKey === null) return { response: replayed(c, kept), kept };
  const withKey = virtualKey === null ? shown : { ...shown, virtual_key: virtualKey };
  const response = c.json(withKey, 201, { Location: `/v1/tenants/${body.tenant_id}`, "Cache-Control": "no-store" });
  return { response, kept };
}

async function originOf(body: NewTenantBody): Promise<TenantOrigin> {
  if (body.litellm_team_id !== undefined) return adopted({ kind: "team", id: body.litellm_team_id });
  if (body.litellm_key !== undefined) return adopted({ kind: "key", id: body.litellm_key });
  const virtualKey = virtualKeyFrom(crypto.getRandomValues(new Uint8Array(32)));
  return { kind: "own_key", virtualKey, keyHash: await keyHashOf(virtualKey) };
}

const adopted = (subject: Subject): TenantOrigin => ({ kind: "adopted", subject });

function creationProblem(c: Context<AppEnv>, body: NewTenantBody, reason: CreateTenantFailure): Response {
  const field = body.litellm_team_id === undefined ? "litellm_key" : "litellm_team_id";
  switch (reason.kind) {
    case "tenant_taken":
      return problem(c, "tenant-taken", { detail: `There is a tenant ${body.tenant_id} already.` });
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
