// Checks and admin calls while LiteLLM is broken: the last known spend decides, then the fail policy, and syncs wait.
// Rows of the failure table.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf, aTenantId, eventually, send } from "./support/api.ts";
import { breakPart, breaks, mendPart } from "./support/breaking.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { type Seed, type SeededTenant, seedTenant } from "./support/seed.ts";

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const STALE = { ageMs: HOUR_MS };
/** Generous for a busy test machine: the tests show that Bursar answers although LiteLLM never does. */
const DEADLINE_MS = 2_000;

beforeAll(async () => {
  bursar = await startBursar({ vars: { CHECK_DEADLINE_MS: String(DEADLINE_MS) } });
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const litellm = () => {
  const part = bursar.stack.litellm;
  if (part === null) throw new Error("these tests break the simulator");
  return part;
};

/** Waits until the breaker allows calls again. */
async function untilReadable(): Promise<void> {
  const { key } = await seedTenant(bursar);
  await eventually(async () => (await api.ask(key, { "Cache-Control": "no-cache" })).body.source === "litellm");
}

/**
 * One break of each kind: no server, no answer, and a failure as the answer. litellm-client.test.ts shows that cut
 * connections, 429 and invalid JSON are the same outage.
 */
const BREAKS = breaks("is stopped", "hangs", "answers 500");

describe.each(BREAKS)("while LiteLLM %s", (_, fault) => {
  const seeded = new Map<string, SeededTenant>();
  const ask = (name: string, headers?: Record<string, string>) => api.ask(seeded.get(name)?.key ?? "", headers);

  beforeAll(async () => {
    await untilReadable();
    const seeds: Record<string, Seed> = {
      fresh: { snapshot: { spend: 10, ageMs: 2_000 } },
      stale: { snapshot: { spend: 82.5, ...STALE } },
      blocked: { snapshot: { spend: 110, ...STALE } },
      "blocked last period": { snapshot: { spend: 110, ...STALE, resetsInMs: -HOUR_MS / 2 } },
      closed: { snapshot: { spend: 10, ...STALE }, failPolicy: "closed" },
      "closed and blocked": { snapshot: { spend: 110, ...STALE }, failPolicy: "closed" },
      unknown: {},
      "unknown and closed": { failPolicy: "closed" },
    };
    for (const [name, seed] of Object.entries(seeds)) seeded.set(name, await seedTenant(bursar, seed));
    seeded.set("created", await api.createTenant({ max_budget: 5 }));
    await breakPart(litellm(), fault);
  });
  afterAll(() => mendPart(litellm(), fault));

  it("answers as usual from a fresh snapshot", async () => {
    const answer = await ask("fresh");
    expect([answer.status, answer.body.source, answer.body.degraded]).toEqual([200, "cache", false]);
  });

  it("answers source last_known from an old snapshot", async () => {
    const answer = await ask("stale");
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ state: "warning", spend: 82.5, source: "last_known", degraded: true });
    expect(answer.body.age_seconds).toBeGreaterThanOrEqual(3_600);
    expect(answer.headers.get("Cache-Control")).toBe("private, max-age=0");
  });

  it("keeps a blocked tenant blocked until its period ends", async () => {
    const answer = await ask("blocked");
    expect([answer.status, answer.body.reason, answer.body.source]).toEqual([402, "over_grace", "last_known"]);
    const after = await ask("blocked last period");
    expect([after.status, after.body.state, after.body.source]).toEqual([200, "unknown", "fail_open"]);
  });

  it("answers 503 under a closed policy for unverified spend, and 402 for spend known to be over", async () => {
    const closed = await ask("closed");
    expect([closed.status, closed.body.type]).toEqual([503, "urn:bursar:problem:spend-unknown"]);
    expect(closed.body).toMatchObject({ state: "unknown", reason: "spend_unknown", source: "fail_closed", spend: 10 });
    expect(Number(closed.headers.get("Retry-After"))).toBeLessThanOrEqual(10);
    expect((await ask("closed and blocked")).status).toBe(402);
  });

  it("follows the fail policy of a tenant without known spend", async () => {
    const open = await ask("unknown");
    expect([open.status, open.body.source, open.body.spend]).toEqual([200, "fail_open", null]);
    expect((await ask("unknown and closed")).status).toBe(503);
  });

  it("answers a demand for fresh spend with the last known spend", async () => {
    const answer = await ask("fresh", { "Cache-Control": "no-cache" });
    expect([answer.status, answer.body.source]).toEqual([200, "last_known"]);
  });

  it("logs every degraded answer without the key", async () => {
    await ask("stale");
    const { tenantId, key } = seeded.get("stale") ?? { tenantId: "", key: "" };
    const lines = bursar.logs().filter((line) => line.includes("degraded answer") && line.includes(tenantId));
    expect(lines.length).toBeGreaterThan(0);
    expect(bursar.logs().some((line) => line.includes(key))).toBe(false);
  });

  it("applies a changed budget at once and answers litellm_sync pending", async () => {
    const { tenantId = "" } = seeded.get("created") ?? {};
    const changed = await api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 20 });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ max_budget: 20, litellm_sync: "pending" });
    expect(changed.body.litellm_sync_error).toBeTruthy();
    expect((await api.check(tenantId)).body.limit).toBe(20);
  });

  it("creates a tenant whose key becomes valid later", async () => {
    const tenantId = aTenantId();
    const created = await api.admin("POST", "/v1/tenants", { tenant_id: tenantId, max_budget: 3 });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ tenant_id: tenantId, litellm_sync: "pending" });
    expect(created.body.virtual_key).toMatch(/^sk-/);
  });
});

it("the sweep syncs every pending tenant once LiteLLM is back, and the created keys work", async () => {
  await untilReadable();
  await litellm().stop();
  const tenantId = aTenantId();
  const created = await api.admin("POST", "/v1/tenants", { tenant_id: tenantId, max_budget: 3 });
  expect(created.body.litellm_sync).toBe("pending");
  await litellm().restart();
  await untilReadable();
  await eventually(async () => {
    // Two minutes later, because until then the request that changed the tenant syncs LiteLLM itself.
    await bursar.sweep(2 * MINUTE_MS);
    return (await api.admin("GET", `/v1/tenants/${tenantId}`)).body.litellm_sync === "synced";
  });
  const model = { model: "mock", messages: [{ role: "user", content: "hi" }] };
  const call = { token: created.body.virtual_key, body: model };
  expect((await send("POST", `${bursar.stack.litellmUrl}/v1/chat/completions`, call)).status).toBe(200);
});
