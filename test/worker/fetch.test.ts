// The Worker's request entrance inside workerd: what goes on behind an answer, and a configuration that is broken.

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import worker from "../../src/worker.ts";
import { bindingsWith, recordConsole, tenantWithKey } from "./bursar.ts";

let logged: ReturnType<typeof recordConsole>;
beforeEach(() => {
  logged = recordConsole();
});
afterEach(() => void vi.unstubAllGlobals());

async function get(path: string, token: string, bindings: Record<string, unknown> = {}) {
  const execution = createExecutionContext();
  const request = new Request(`http://bursar.test${path}`, { headers: { authorization: `Bearer ${token}` } });
  const response = await worker.fetch(request, bindingsWith(bindings), execution);
  const body = await response.json<Record<string, unknown>>();
  await waitOnExecutionContext(execution);
  return { status: response.status, body };
}

/** So that a busy machine answers from LiteLLM too. */
const PATIENT = { CHECK_DEADLINE_MS: "5000" };

it("a check of a key that KV has never heard of is answered, and behind it KV hears of all of it", async () => {
  const { tenantId, key, hash } = await tenantWithKey();
  const { status, body } = await get("/v1/budget", key, PATIENT);
  expect([status, body["tenant_id"], body["source"]]).toEqual([200, tenantId, "litellm"]);
  expect(await env.SNAPSHOTS.get(`tenant-of-key:${hash}`, "json")).toEqual({ tenant_id: tenantId });
  expect(await env.SNAPSHOTS.get(`config:${tenantId}`, "json")).toMatchObject({ tenant_id: tenantId });
  expect(await env.SNAPSHOTS.get(`spend:${tenantId}`, "json")).toMatchObject({
    record: { spend: "0", source: "litellm" },
  });
});

it("a failure behind the answer is logged, and the answer is the same", async () => {
  const { tenantId, key } = await tenantWithKey();
  const SNAPSHOTS = {
    get: env.SNAPSHOTS.get.bind(env.SNAPSHOTS),
    put: async () => Promise.reject(new Error("429")),
  };
  const { status, body } = await get("/v1/budget", key, { ...PATIENT, SNAPSHOTS });
  expect([status, body["tenant_id"]]).toEqual([200, tenantId]);
  expect(logged.error).toContainEqual(expect.objectContaining({ event: "kv spend write failed" }));
});

it("a broken configuration is a 500, and the log names the variable, not its value", async () => {
  const { status, body } = await get("/healthz", "none", { ADMIN_TOKENS: "secret-words" });
  expect([status, body["type"]]).toEqual([500, "urn:bursar:problem:internal-error"]);
  const lines = JSON.stringify(logged);
  expect(lines).toContain("ADMIN_TOKENS");
  expect(lines).not.toContain("secret");
  expect((await get("/healthz", "none")).status).toBe(200);
});
