// Checks and admin calls while Postgres (Neon's endpoint) is really broken. Rows of the failure table.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf, aTenantId } from "./support/api.ts";
import { breakPart, breaks, mendPart } from "./support/breaking.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { type SeededTenant, seedTenant } from "./support/seed.ts";

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  // Each store gets 40 % of the deadline, so Bursar waits 1.2 s for Postgres before it reads LiteLLM alone.
  bursar = await startBursar({ vars: { CHECK_DEADLINE_MS: "3000" } });
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const BREAKS = breaks("is stopped", "hangs", "cuts connections", "answers 500", "answers nonsense");

describe.each(BREAKS)("while Postgres %s", (_, fault) => {
  const seeded = new Map<string, SeededTenant>();
  const keyOf = (name: string) => seeded.get(name)?.key ?? "";
  const { litellm, postgres } = { litellm: () => bursar.stack.litellm, postgres: () => bursar.stack.postgres.neon };

  beforeAll(async () => {
    seeded.set("in KV", await seedTenant(bursar, { snapshot: { spend: 82.5, ageMs: 2_000 } }));
    seeded.set("old in KV", await seedTenant(bursar, { spend: 105, snapshot: { spend: 50, ageMs: 3_600_000 } }));
    seeded.set("ok in LiteLLM", await seedTenant(bursar, { spend: 90 }));
    seeded.set("over in LiteLLM", await seedTenant(bursar, { spend: 110 }));
    seeded.set("created", await api.createTenant({ max_budget: 5 }));
    await breakPart(postgres(), fault);
  });
  afterAll(() => mendPart(postgres(), fault));

  it("answers as usual from KV", async () => {
    const answer = await api.ask(keyOf("in KV"));
    expect(answer.body).toMatchObject({
      allowed: true,
      state: "warning",
      spend: 82.5,
      source: "cache",
      degraded: false,
    });
  });

  it("refreshes an old snapshot from LiteLLM", async () => {
    const answer = await api.ask(keyOf("old in KV"));
    expect(answer.body).toMatchObject({
      allowed: true,
      state: "grace",
      spend: 105,
      source: "litellm",
      degraded: false,
    });
  });

  it("answers a key missing in KV from LiteLLM alone, as degraded", async () => {
    const [ok, over] = [await api.ask(keyOf("ok in LiteLLM")), await api.ask(keyOf("over in LiteLLM"))];
    expect(ok.body).toMatchObject({
      tenant_id: seeded.get("ok in LiteLLM")?.tenantId,
      allowed: true,
      state: "warning",
      spend: 90,
      limit: 100,
      source: "litellm",
      degraded: true,
    });
    expect([over.status, over.body.reason]).toEqual([402, "over_grace"]);
  });

  it("answers 401 to a key that LiteLLM does not have either", async () => {
    expect((await api.ask("sk-nobody")).status).toBe(401);
  });

  it("follows the deployment's fail policy when LiteLLM is away too", async () => {
    const { key } = { key: `sk-${aTenantId()}` };
    await litellm()?.stop();
    const answer = await api.ask(key);
    await litellm()?.restart();
    expect(answer.body).toMatchObject({ tenant_id: null, allowed: true, state: "unknown", source: "fail_open" });
  });

  it.each([
    ["POST", () => "/v1/tenants", () => ({ tenant_id: aTenantId() })],
    ["GET", () => "/v1/tenants", () => undefined],
    ["PATCH", () => `/v1/tenants/${seeded.get("created")?.tenantId}`, () => ({ max_budget: 7 })],
    ["DELETE", () => `/v1/tenants/${seeded.get("created")?.tenantId}`, () => undefined],
  ])("answers 503 naming Postgres to %s %s", async (method, path, body) => {
    const answer = await api.admin(method, path(), body());
    expect([answer.status, answer.body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
    expect(answer.body.detail).toContain("postgres");
    expect(answer.headers.get("Retry-After")).toBeTruthy();
  });

  it("readyz answers 503", async () => {
    const response = await fetch(`${bursar.url}/readyz`);
    const body = (await response.json()) as { dependencies: Record<string, { ok: boolean }> };
    expect([response.status, body.dependencies["postgres"]?.ok]).toEqual([503, false]);
  });
});

it("leaves nothing behind of a failed change", async () => {
  const { tenantId, key } = await api.createTenant({ max_budget: 5 });
  await bursar.stack.postgres.neon.stop();
  const failed = aTenantId();
  await api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 7 });
  await api.admin("DELETE", `/v1/tenants/${tenantId}`);
  await api.admin("POST", "/v1/tenants", { tenant_id: failed });
  await bursar.stack.postgres.neon.restart();
  expect((await api.admin("GET", `/v1/tenants/${tenantId}`)).body).toMatchObject({ max_budget: 5 });
  expect((await api.admin("GET", `/v1/tenants/${failed}`)).status).toBe(404);
  expect((await api.ask(key, { "Cache-Control": "no-cache" })).body.limit).toBe(5);
});
