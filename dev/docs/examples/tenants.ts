// Tenants: create, adopt, read and change them; at the end suspend, reset and delete them.

import { example, type Step, type World } from "../steps.ts";

const CREATE_ACME = `curl -i "$bursar/v1/tenants" -H "$admin" \\
  -H 'Idempotency-Key: create-acme' \\
  -d '{"tenant_id": "acme", "name": "Acme Inc.", "max_budget": 500}'`;

/** Creates a key and a team in LiteLLM without Bursar, for adoption. */
async function keyAndTeamInLiteLlm({ product }: World): Promise<void> {
  const { url, masterKey } = product.litellm;
  const post = async (path: string, body: unknown) => {
    const headers = { Authorization: `Bearer ${masterKey}`, "Content-Type": "application/json" };
    const { ok, status } = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!ok) throw new Error(`${path} answered ${status}`);
  };
  await post("/key/generate", { key: "sk-globex-production", max_budget: 200, budget_duration: "30d" });
  await post("/team/new", { team_id: "team-research", max_budget: 1_000 });
}

export const TENANTS: readonly Step[] = [
  example("create-tenant", 201, CREATE_ACME, { virtual_key: "virtual_key", key_hash: "subject.id" }),
  example("create-tenant-replayed", 201, CREATE_ACME),
  example(
    "create-tenant-key-reused",
    422,
    `curl -i "$bursar/v1/tenants" -H "$admin" \\
  -H 'Idempotency-Key: create-acme' \\
  -d '{"tenant_id": "acme-2"}'`,
  ),
  example("create-tenant-taken", 409, `curl -i "$bursar/v1/tenants" -H "$admin" -d '{"tenant_id": "acme"}'`),
  example(
    "create-tenant-invalid",
    422,
    `curl -i "$bursar/v1/tenants" -H "$admin" \\
  -d '{"tenant_id": "initech", "max_budget": -5, "alert_treshold": 80}'`,
  ),
  keyAndTeamInLiteLlm,
  example(
    "adopt-key",
    201,
    `curl -i "$bursar/v1/tenants" -H "$admin" \\
  -d '{"tenant_id": "globex", "litellm_key": "sk-globex-production", "enforcement": "observe"}'`,
  ),
  example(
    "adopt-team",
    201,
    `curl -i "$bursar/v1/tenants" -H "$admin" \\
  -d '{"tenant_id": "research", "litellm_team_id": "team-research"}'`,
  ),
  example("list-tenants", 200, `curl -i "$bursar/v1/tenants?q=acme&sort=-used_percent&limit=1" -H "$reader"`),
  example("get-tenant", 200, `curl -i "$bursar/v1/tenants/acme" -H "$reader"`),
  example("get-tenant-missing", 404, `curl -i "$bursar/v1/tenants/hooli" -H "$reader"`),
];

export const TENANTS_LATER: readonly Step[] = [
  example("patch-tenant", 200, `curl -i -X PATCH "$bursar/v1/tenants/acme" -H "$admin" -d '{"max_budget": 750}'`),
  example(
    "if-match",
    412,
    `curl -i -X PATCH "$bursar/v1/tenants/acme" -H "$admin" -H 'If-Match: "9"' \\
  -d '{"max_budget": 750, "reason": "contract of November"}'`,
  ),
  example("suspend-tenant", 200, `curl -i -X POST "$bursar/v1/tenants/acme/suspend" -H "$admin"`),
  example("ask-suspended", 403, `curl -i "$bursar/v1/budget" -H "Authorization: Bearer $virtual_key"`),
  example("resume-tenant", 200, `curl -i -X POST "$bursar/v1/tenants/acme/resume" -H "$admin"`),
  example("reset-tenant", 200, `curl -i -X POST "$bursar/v1/tenants/acme/reset" -H "$admin"`),
  example("reset-team", 422, `curl -i -X POST "$bursar/v1/tenants/research/reset" -H "$admin"`),
  example("delete-tenant", 204, `curl -i -X DELETE "$bursar/v1/tenants/globex?reason=contract+ended" -H "$admin"`),
  example("get-tenant-deleted", 200, `curl -i "$bursar/v1/tenants/globex" -H "$reader"`),
  example(
    "patch-tenant-deleted",
    409,
    `curl -i -X PATCH "$bursar/v1/tenants/globex" -H "$admin" -d '{"max_budget": 300}'`,
  ),
  example(
    "restore-tenant",
    200,
    `curl -i -X POST "$bursar/v1/tenants/globex/restore" -H "$admin" -d '{"reason": "contract renewed"}'`,
  ),
];
