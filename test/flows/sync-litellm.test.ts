// Bringing LiteLLM to the wish: it sends only what differs, says why it waits, and never records what is no longer wished.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTenant } from "../../src/flows/create-tenant.ts";
import { differsFromWish, syncLiteLlm } from "../../src/flows/sync-litellm.ts";
import type { SubjectReading } from "../../src/ports.ts";
import { aTenantConfig, NOW, RESET, usd } from "../budget/builders.ts";
import { AdminWorld, ownKeyInput, sha256, VIRTUAL_KEY } from "../support/admin-world.ts";
import { anActor, aTenant, idOf } from "../support/builders.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);

describe("syncing", () => {
  let world: AdminWorld;
  let deps: ReturnType<AdminWorld["deps"]>;

  beforeAll(async () => {
    world = await AdminWorld.start();
  });
  beforeEach(async () => {
    deps = await world.begin();
    await createTenant(ownKeyInput(), deps);
    world.litellm.clearRequests();
  });
  afterAll(() => world.stop());

  const sync = () => syncLiteLlm({ tenantId: acme, now: NOW }, deps);

  it("reads and sends nothing when LiteLLM has the wish", async () => {
    expect((await sync()).kind).toBe("synced");
    expect(world.litellm.requests().map(({ path }) => path)).toEqual(["/key/info"]);
  });

  it("puts back what somebody changed in LiteLLM, and only that", async () => {
    await world.manage("POST", "/key/update", { key: hash, max_budget: 9_999, metadata: { note: "mine" } });
    await world.manage("POST", "/budget/update", {
      budget_id: (await world.keyRow(hash)).budget_id,
      soft_budget: 1,
    });
    expect((await sync()).kind).toBe("synced");
    expect(await world.keyRow(hash)).toMatchObject({
      max_budget: 550,
      metadata: { note: "mine", tenant_id: "acme" },
      litellm_budget_table: { soft_budget: 400 },
    });
  });

  it("says that LiteLLM does not know a key that was there before, and makes no new one", async () => {
    await world.manage("POST", "/key/delete", { keys: [hash] });
    world.litellm.clearRequests();
    expect(await sync()).toMatchObject({
      kind: "pending",
      tenant: { sync: { status: "pending", error: "LiteLLM does not know this key" } },
    });
    expect(world.changesSent()).toEqual([]);
  });

  it("keeps why LiteLLM refused, and stays pending", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    deps.litellm.updateSubject = async () => ({
      ok: false,
      failure: { kind: "refused", status: 400, param: null, message: "no: sk-…" },
    });
    await sync();
    expect((await deps.tenants.load(acme))?.sync).toMatchObject({
      status: "pending",
      error: "LiteLLM refused: no: sk-…",
    });
  });

  it("never records an older wish as taken: what changed while it was sent is sent too", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    const { updateSubject } = deps.litellm;
    let meets = 1;
    deps.litellm.updateSubject = async (...input) => {
      if (meets-- > 0) await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("6") }, anActor());
      return updateSubject(...input);
    };
    expect((await sync()).kind).toBe("synced");
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 6.6 });
  });

  it("gives up after three rounds against a wish that keeps changing, and leaves it pending", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    const { updateSubject } = deps.litellm;
    let dollars = 6;
    deps.litellm.updateSubject = async (...input) => {
      await deps.tenants.change(acme, { maxBudgetNanoUsd: usd(String(dollars++)) }, anActor());
      return updateSubject(...input);
    };
    expect((await sync()).kind).toBe("pending");
    expect(dollars).toBe(9);
    expect((await deps.tenants.load(acme))?.sync.status).toBe("pending");
  });

  it("finishes a deletion that happens while the wish is being sent", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    const { updateSubject } = deps.litellm;
    deps.litellm.updateSubject = async (...input) => {
      await deps.tenants.markDeleted(acme, anActor());
      return updateSubject(...input);
    };
    expect(await sync()).toEqual({ kind: "removed" });
    expect(await world.keyRow(hash)).toBeNull();
    expect(await deps.tenants.loadEvenDeleted(acme)).toBeNull();
  });

  it("counts an override in what LiteLLM blocks at", async () => {
    await world.db.query(
      `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, reason, created_by)
       values (gen_random_uuid(), 'acme', 100, $1, $2, '', '')`,
      [new Date(NOW), new Date(NOW + 1)],
    );
    await sync();
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 660, litellm_budget_table: { soft_budget: 480 } });
  });
});

describe("whether LiteLLM differs from the wish", () => {
  const reading: SubjectReading = {
    subject: { kind: "key", id: hash },
    spendNanoUsd: 0n,
    begunAt: NOW,
    resetsAt: RESET,
    createdAt: NOW,
    budgetId: "b1",
    teamId: null,
    maxBudgetNanoUsd: usd("550"),
    softBudgetNanoUsd: usd("400"),
    budgetDuration: "30d",
    metadata: { tenant_id: "acme" },
  };
  const team = aTenantConfig({ subject: { kind: "team", id: "red" } });
  const observed = aTenantConfig({ enforcement: "observe" });

  it.each<[string, Partial<SubjectReading>]>([
    ["max_budget", { maxBudgetNanoUsd: usd("549.99") }],
    ["no max_budget", { maxBudgetNanoUsd: null }],
    ["soft_budget", { softBudgetNanoUsd: null }],
    ["budget_duration", { budgetDuration: null }],
    ["the mark", { metadata: {} }],
    ["another's mark", { metadata: { tenant_id: "other" } }],
  ])("it does by its %s", (_, difference) => {
    expect(differsFromWish(aTenant(), reading, NOW)).toBe(false);
    expect(differsFromWish(aTenant(), { ...reading, ...difference }, NOW)).toBe(true);
  });

  it("it does not by what a double cannot hold", () => {
    const config = aTenantConfig({ maxBudgetNanoUsd: usd("999999999.999999999"), graceThreshold: 10_000n });
    const asLiteLlmHasIt = { maxBudgetNanoUsd: usd("1000000000"), softBudgetNanoUsd: usd("800000000") };
    expect(differsFromWish(aTenant({ config }), { ...reading, ...asLiteLlmHasIt }, NOW)).toBe(false);
  });

  it("under observe only the mark counts", () => {
    const other = { ...reading, maxBudgetNanoUsd: usd("1"), softBudgetNanoUsd: null, budgetDuration: "1d" };
    expect(differsFromWish(aTenant({ config: observed }), other, NOW)).toBe(false);
    expect(differsFromWish(aTenant({ config: observed }), { ...other, metadata: {} }, NOW)).toBe(true);
  });

  it("the soft budget of an adopted key, and of a key without a budget object, is not Bursar's", () => {
    const other = { ...reading, softBudgetNanoUsd: usd("1") };
    expect(differsFromWish(aTenant({ adopted: true }), other, NOW)).toBe(false);
    expect(differsFromWish(aTenant(), { ...other, budgetId: null }, NOW)).toBe(false);
  });

  it("a team's soft budget counts where LiteLLM has one, and is not sent for ever where LiteLLM knows none", () => {
    const tenant = aTenant({ config: team, adopted: true });
    expect(differsFromWish(tenant, { ...reading, softBudgetNanoUsd: usd("399") }, NOW)).toBe(true);
    expect(differsFromWish(tenant, { ...reading, softBudgetNanoUsd: null }, NOW)).toBe(false);
  });
});
