// Checks and admin calls while Redis (Upstash's endpoint) is broken: answers stay the same. Rows of the failure table.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf, aTenantId } from "./support/api.ts";
import { breakPart, breaks, mendPart } from "./support/breaking.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { type SeededTenant, seedTenant } from "./support/seed.ts";

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  bursar = await startBursar();
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const BREAKS = breaks("is stopped", "hangs", "answers 500", "answers nonsense");

describe.each(BREAKS)("while Redis %s", (_, fault) => {
  let stale: SeededTenant;
  beforeAll(async () => {
    stale = await seedTenant(bursar, { spend: 42, snapshot: { spend: 10, ageMs: 3_600_000 } });
    await breakPart(bursar.stack.upstash, fault);
  });
  afterAll(() => mendPart(bursar.stack.upstash, fault));

  it("reads due spend from LiteLLM once", async () => {
    bursar.stack.litellm?.clearRequests();
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.ask(stale.key)));
    expect(answers.map(({ body }) => body.spend)).toEqual(answers.map(() => 42));
    const hash = createHash("sha256").update(stale.key).digest("hex");
    const reads = bursar.stack.litellm
      ?.requests()
      .filter(({ path, keyHash }) => path === "/key/info" && keyHash === hash);
    expect(reads).toHaveLength(1);
  });

  it("handles admin calls, with an idempotency key too", async () => {
    const tenantId = aTenantId();
    const headers = { "Idempotency-Key": tenantId };
    const created = await api.admin("POST", "/v1/tenants", { tenant_id: tenantId }, headers);
    expect([created.status, created.body.litellm_sync]).toEqual([201, "synced"]);
    expect((await api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 9 })).body.max_budget).toBe(9);
    // Postgres recognises the replay. Without Redis Bursar cannot know whether the key was shown, so it keeps it.
    const again = await api.admin("POST", "/v1/tenants", { tenant_id: tenantId }, headers);
    expect([again.status, again.body.max_budget, again.body.virtual_key]).toEqual([201, 9, undefined]);
  });
});
