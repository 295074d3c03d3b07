// Checks and admin calls while KV or the queue is really broken, on plain workerd, where both are separate servers.
// Rows of the failure table.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKv } from "../../dev/kv/start-kv.ts";
import type { Part } from "../../dev/part.ts";
import { type Stack, startStack } from "../../dev/stack.ts";
import { startWorkerd, type Workerd } from "../../dev/worker/workerd.ts";
import { apiOf, aTenantId } from "./support/api.ts";
import { breakPart, breaks, mendPart } from "./support/breaking.ts";
import { BUNDLE_DIR } from "./support/build.ts";
import { FREE_PORTS } from "./support/own-stack.ts";
import { seedTenant } from "./support/seed.ts";

let stack: Stack;
let kv: Part;
let workerd: Workerd;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  stack = await startStack(FREE_PORTS, { litellm: { databaseDelayMs: 0, callMs: 0 } });
  kv = await startKv();
  const { secrets, vars } = stack.environment;
  const environment = { secrets, vars: { ...vars, CHECK_DEADLINE_MS: "3000" } };
  workerd = await startWorkerd({ bundleDir: BUNDLE_DIR, environment, kv: { address: `127.0.0.1:${kv.port}` } });
  api = apiOf(workerd.url);
});
afterAll(async () => {
  await workerd.stop();
  await kv.stop();
  await stack.stop();
});

const BREAKS = breaks("is stopped", "hangs", "answers 500", "answers nonsense");

describe.each(BREAKS)("while KV %s", (_, fault) => {
  beforeAll(() => breakPart(kv, fault));
  afterAll(() => mendPart(kv, fault));

  it("answers a check from Postgres and LiteLLM", async () => {
    const { tenantId, key } = await seedTenant({ stack }, { spend: 105 });
    const answer = await api.ask(key);
    expect(answer.body).toMatchObject({
      tenant_id: tenantId,
      state: "grace",
      spend: 105,
      source: "litellm",
      degraded: false,
    });
    expect((await api.check(tenantId)).body.spend).toBe(105);
  });

  it("answers 401 to an unknown key", async () => {
    expect((await api.ask("sk-nobody")).status).toBe(401);
  });

  it("applies admin calls at once in the isolate that made them", async () => {
    const tenantId = aTenantId();
    const created = await api.admin("POST", "/v1/tenants", { tenant_id: tenantId, max_budget: 5 });
    expect([created.status, created.body.litellm_sync]).toEqual([201, "synced"]);
    expect((await api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 0 })).status).toBe(200);
    expect((await api.ask(created.body.virtual_key)).status).toBe(402);
    expect((await api.admin("DELETE", `/v1/tenants/${tenantId}`)).status).toBe(204);
    expect((await api.ask(created.body.virtual_key)).status).toBe(401);
  });
});

describe("while the queue refuses", () => {
  const queue = () => workerd.services["SPEND_QUEUE"] ?? "";
  beforeAll(async () => {
    await fetch(`${queue()}/_refuse`, { method: "PUT" });
  });
  afterAll(async () => {
    await fetch(`${queue()}/_refuse`, { method: "DELETE" });
  });

  it("answers checks as usual", async () => {
    const { key } = await seedTenant({ stack }, { spend: 50 });
    expect((await api.ask(key)).body).toMatchObject({ spend: 50, source: "litellm", degraded: false });
  });

  it("handles admin calls", async () => {
    const tenantId = aTenantId();
    expect((await api.admin("POST", "/v1/tenants", { tenant_id: tenantId })).status).toBe(201);
    expect((await api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 1 })).body.limit).toBe(1);
  });

  it("logs the messages that were given up", () => {
    expect(workerd.output()).toContain("read enqueue failed");
    expect(workerd.output()).toContain("config rewrite enqueue failed");
  });
});
