// The Worker's fetch handler inside workerd: background work after an answer, and an invalid configuration.

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

/** Long enough for a busy machine to read LiteLLM. */
const PATIENT = { CHECK_DEADLINE_MS: "9999" };

it("answers a check of a key missing from KV, and writes it to KV in the background", async () => {
  const { tenantId, key, hash } = await tenantWithKey();
  const { status, body } = await get("/v1/budget", key, PATIENT);
  expect([status, body["tenant_id"], body["source"]]).toEqual([200, tenantId, "litellm"]);
  expect(await env.SNAPSHOTS.get(`tenant-of-key:${hash}`, "json")).toEqual({ v: 1, tenant_id: tenantId });
  expect(await env.SNAPSHOTS.get(`config:${tenantId}`, "json")).toMatchObject({ tenant_id: tenantId });
  expect(await env.SNAPSHOTS.get(`spend:${tenantId}`, "json")).toMatchObject({
    record: { spend: "0", source: "litellm" },
  });
});

it("logs a failure in the background without changing the answer", async () => {
  const { tenantId, key } = await tenantWithKey();
  const SNAPSHOTS = {
    get: env.SNAPSHOTS.get.bind(env.SNAPSHOTS),
    put: async () => Promise.reject(new Error("429")),
  };
  const { status, body } = await get("/v1/budget", key, { ...PATIENT, SNAPSHOTS });
  expect([status, body["tenant_id"]]).toEqual([200, tenantId]);
  expect(logged.error).toContainEqual(expect.objectContaining({ event: "kv spend write failed" }));
});

it("answers 500 to an invalid configuration, and logs the variable without its value", async () => {
  const { status, body } = await get("/healthz", "none", { ADMIN_TOKENS: "secret-words" });
  expect([status, body["type"]]).toEqual([500, "urn:bursar:problem:internal-error"]);
  const lines = JSON.stringify(logged);
  expect(lines).toContain("ADMIN_TOKENS");
  expect(lines).not.toContain("secret");
  expect((await get("/healthz", "none")).status).toBe(200);
});
