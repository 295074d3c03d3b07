// `POST /v1/tenants/{id}/restore`, and how the other routes answer for a deleted tenant: its history can be read, and
// nothing of it can be changed until it is restored.

import { type Context, Hono } from "hono";
import { type Instant, iso } from "../../../budget/instant.ts";
import { KEEP_DELETED_MS, type TenantId } from "../../../budget/tenant.ts";
import type { NotChanged } from "../../../flows/tenants/not-changed.ts";
import { type RestoreFailure, restoreTenant } from "../../../flows/tenants/restore-tenant.ts";
import type { TenantRecord } from "../../../records/tenant.ts";
import { keyHashOf } from "../../../wire/key-hash.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin } from "../../auth.ts";
import { reasonBody } from "../../fields.ts";
import { dependencyUnavailable, noSuchTenant, otherVersion, problem } from "../../problem.ts";
import { etagOf, ifMatch } from "../../request/if-match.ts";
import { readBody } from "../../request/read-request.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once, replayed } from "../idempotency.ts";
import { tenantAnswer, tenantJson } from "./tenant-json.ts";
import { virtualKeyFrom } from "./virtual-key.ts";

export const deletedTenantRoutes = new Hono<AppEnv>().post(
  "/v1/tenants/:id/restore",
  requireAdmin,
  ifMatch,
  async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const body = await readBody(c, reasonBody);
    if (!body.ok) return body.failure;
    return once(c, { route: `POST /v1/tenants/${tenantId}/restore`, json: body.value.json }, (isUnanswered) =>
      restore(c, tenantId, isUnanswered),
    );
  },
);

async function restore(c: Context<AppEnv>, tenantId: TenantId, isUnanswered: boolean): Promise<OnceAnswer> {
  const virtualKey = virtualKeyFrom(crypto.getRandomValues(new Uint8Array(32)));
  const input = { tenantId, virtualKey, keyHash: await keyHashOf(virtualKey), actor: c.get("actor"), isUnanswered };
  const restored = await restoreTenant(input, c.get("ports"));
  if (!restored.ok) return { response: restorationProblem(c, tenantId, restored.failure), kept: null };
  const { tenant, virtualKey: shownKey } = restored.value;
  const shown = tenantJson(tenant, c.get("now"));
  if (tenant.adopted) return { response: tenantAnswer(c, tenant), kept: { status: 200, body: shown } };
  const note = `The virtual key is shown once. POST /v1/tenants/${tenantId}/keys makes a new one.`;
  const location = `/v1/tenants/${tenantId}`;
  const kept = { status: 201, location, body: { ...shown, note } };
  if (shownKey === null) return { response: replayed(c, kept), kept };
  const headers = { Location: location, ETag: etagOf(tenant.settingsVersion) };
  return { response: c.json({ ...shown, virtual_key: shownKey }, 201, headers), kept };
}

function restorationProblem(c: Context<AppEnv>, tenantId: TenantId, reason: RestoreFailure): Response {
  switch (reason) {
    case "not_found":
      return noSuchTenant(c);
    case "other_version":
      return otherVersion(c);
    case "not_deleted":
      return problem(c, "tenant-taken", { detail: `Tenant ${tenantId} is not deleted.` });
    case "unreleased":
      return dependencyUnavailable(c, "LiteLLM still has keys of the deleted tenant, and did not delete them now.");
    case "subject_taken":
      return problem(c, "subject-taken", {
        detail: "Another tenant has its LiteLLM key or team by now. Delete that tenant first.",
      });
    case "other_body":
      return problem(c, "idempotency-key-reused");
  }
}

/** For a read of history: the tenant, living or deleted. Null when there is none. */
export async function tenantOfHistory(c: Context<AppEnv>, id: string): Promise<TenantRecord | null> {
  const tenantId = tenantIdFrom(id);
  return tenantId === null ? null : c.get("ports").tenants.loadEvenDeleted(tenantId);
}

/** The answer to a change that was not made. A deleted tenant is a 409: it can be restored. */
export async function notChanged(c: Context<AppEnv>, tenantId: TenantId, reason: NotChanged): Promise<Response> {
  return reason === "other_version" ? otherVersion(c) : noSuchPart(c, tenantId, noSuchTenant);
}

/** The answer to a change of what the tenant does not have: `otherwise`, unless the tenant is deleted. */
export async function noSuchPart(
  c: Context<AppEnv>,
  tenantId: TenantId,
  otherwise: (c: Context<AppEnv>) => Response,
): Promise<Response> {
  const tenant = await c.get("ports").tenants.loadEvenDeleted(tenantId);
  return tenant === null || tenant.deletedAt === null ? otherwise(c) : tenantDeleted(c, tenantId, tenant.deletedAt);
}

export function tenantDeleted(c: Context<AppEnv>, tenantId: TenantId, deletedAt: Instant): Response {
  const purgeAt = iso(deletedAt + KEEP_DELETED_MS);
  const restorePath = `/v1/tenants/${tenantId}/restore`;
  return problem(c, "tenant-deleted", {
    detail: `Tenant ${tenantId} was deleted at ${iso(deletedAt)}. POST ${restorePath} restores it until ${purgeAt}.`,
    members: { deleted_at: iso(deletedAt), purge_at: purgeAt },
  });
}
