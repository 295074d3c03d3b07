// The life cycle of a tenant over the public API only: on a local stack, or on the deployment at BASE_URL (with
// ADMIN_TOKEN). Deletes what it creates.

import { afterAll, beforeAll, expect, it } from "vitest";
import { ADMIN, aTenantId, eventually, send } from "./support/api.ts";
import { deployedAt } from "./support/build.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";

const deployed = deployedAt();
const token = deployed === null ? ADMIN : (process.env["ADMIN_TOKEN"] ?? "");
const tenantId = aTenantId();

let bursar: Bursar | null = null;
let base = deployed ?? "";
let key = "";

beforeAll(async () => {
  if (deployed !== null) return;
  bursar = await startBursar();
  base = bursar.url;
});
afterAll(async () => {
  await send("DELETE", `${base}/v1/tenants/${tenantId}`, { token });
  await bursar?.stop();
});

it("answers healthz, and readyz with every dependency", async () => {
  expect((await send("GET", `${base}/healthz`)).body).toEqual({ status: "ok" });
  // Retries as an orchestrator does, because the first probes of a Worker that has just started may time out.
  const { body } = await eventually(async () => {
    const answer = await send("GET", `${base}/readyz`);
    return answer.status === 200 && answer;
  });
  expect(body.status).toBe("ready");
  expect(Object.keys(body.dependencies).sort()).toEqual(["kv", "litellm", "postgres", "redis"]);
});

it("creates a tenant and its key in LiteLLM", async () => {
  const { status, body } = await send("POST", `${base}/v1/tenants`, {
    token,
    body: { tenant_id: tenantId, max_budget: 5 },
  });
  expect([status, body.litellm_sync]).toEqual([201, "synced"]);
  key = body.virtual_key;
});

it("allows an agent that has spent nothing", async () => {
  const { status, body } = await send("GET", `${base}/v1/budget`, { token: key });
  expect(status).toBe(200);
  expect(body).toMatchObject({ tenant_id: tenantId, allowed: true, state: "ok", spend: 0, limit: 5 });
});

it("refuses a tenant once its budget is zero, and allows it after a raise", async () => {
  const change = (max_budget: number) =>
    send("PATCH", `${base}/v1/tenants/${tenantId}`, { token, body: { max_budget } });
  expect((await change(0)).status).toBe(200);
  const refused = await send("GET", `${base}/v1/tenants/${tenantId}/check`, { token });
  expect([refused.status, refused.body.reason]).toEqual([402, "zero_limit"]);
  expect((await change(5)).status).toBe(200);
});

it("answers every error as a problem", async () => {
  const wrong = await send("POST", `${base}/v1/tenants`, { token, body: { tenant_id: "a b", max_budget: -1 } });
  expect(wrong.headers.get("Content-Type")).toBe("application/problem+json");
  expect(wrong.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(["max_budget", "tenant_id"]);
  expect((await send("GET", `${base}/v1/tenants/${tenantId}`)).status).toBe(401);
  expect((await send("GET", `${base}/no-such-route`, { token })).status).toBe(404);
  expect((await send("PUT", `${base}/v1/budget`, { token })).headers.get("Allow")).toContain("GET");
  expect((await send("POST", `${base}/v1/tenants`, { token, body: "{" })).status).toBe(400);
});

it("shows a deleted tenant as deleted, and refuses its id", async () => {
  expect((await send("DELETE", `${base}/v1/tenants/${tenantId}`, { token })).status).toBe(204);
  const { status, body } = await send("GET", `${base}/v1/tenants/${tenantId}`, { token });
  expect([status, body.state]).toEqual([200, "deleted"]);
  expect((await send("GET", `${base}/v1/tenants/${tenantId}/check`, { token })).status).toBe(404);
  const again = await send("POST", `${base}/v1/tenants`, { token, body: { tenant_id: tenantId } });
  expect([again.status, again.body.type]).toEqual([409, "urn:bursar:problem:tenant-deleted"]);
});
