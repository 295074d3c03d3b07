// Changing tenants: Postgres, the edge and LiteLLM each reach the new desired state, or report it as pending.

import { beforeEach, expect, it } from "vitest";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { changeTenant } from "../../../src/flows/tenants/change-tenant.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import type { TenantChange } from "../../../src/records/tenant.ts";
import { MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const { world, deps, renewDeps } = useAdminWorld();

beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  world.litellm.clearRequests();
  deps.spendQueue.sent.length = 0;
});

const change = async (desired: TenantChange) => {
  const result = await changeTenant({ tenantId: acme, change: desired, actor: anActor({ now: NOW + MINUTE }) }, deps);
  if (!result.ok) throw new Error(result.failure);
  return result.value;
};

it("brings a new budget to Postgres, to the edge and, with both its thresholds, to LiteLLM", async () => {
  const tenant = await change({ maxBudgetNanoUsd: usd("1000") });
  expect(tenant.sync.status).toBe("synced");
  expect(await deps.tenants.load(acme)).toEqual(tenant);
  expect(deps.snapshots.configs.get(acme)).toEqual(tenant.config);
  expect(deps.memory.tenant(acme)?.config).toEqual(tenant.config);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 1100, litellm_budget_table: { soft_budget: 800 } });
  expect(deps.spendQueue.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([5, 65]);
});

it("sends LiteLLM only the difference: a new alert threshold changes the soft budget alone", async () => {
  await change({ alertThreshold: 9_000n });
  expect(world.changesSent()).toEqual(["/budget/update"]);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550, litellm_budget_table: { soft_budget: 450 } });
});

it("does not move LiteLLM's reset unless the duration changes", async () => {
  world.now = NOW + MINUTE;
  const before = await world.keyRow(hash);
  await change({ maxBudgetNanoUsd: usd("7") });
  expect((await world.keyRow(hash)).budget_reset_at).toBe(before.budget_reset_at);
});

it("takes the end of the period from LiteLLM after a change of the duration", async () => {
  world.now = NOW + MINUTE;
  const tenant = await change({ budgetDuration: "1d" });
  expect(tenant.config.budgetResetAt).toBe(Date.UTC(2026, 10, 16));
  expect(tenant.config.budgetResetAt).not.toBe(RESET);
  expect(Date.parse((await world.keyRow(hash)).budget_reset_at)).toBe(tenant.config.budgetResetAt);
  expect(deps.snapshots.configs.get(acme)).toEqual(tenant.config);
  expect(deps.memory.tenant(acme)?.config).toEqual(tenant.config);
  const ends = [tenant.spend, deps.snapshots.spends.get(acme), deps.memory.tenant(acme)?.spend];
  expect(ends.map((spend) => spend?.resetsAt)).toEqual(ends.map(() => tenant.config.budgetResetAt));
});

it("answers the change when the tenant is deleted before the moved end is recorded", async () => {
  world.now = NOW + MINUTE;
  deps.ledgers.load = async () => [];
  const tenant = await change({ budgetDuration: "1d" });
  expect(tenant).toMatchObject({ sync: { status: "synced" }, spend: { resetsAt: RESET } });
});

it("stops LiteLLM blocking when the tenant is only observed, also with another budget, and back again", async () => {
  const observed = await change({ enforcement: "observe", maxBudgetNanoUsd: usd("7"), budgetDuration: "1d" });
  expect(observed.sync.status).toBe("synced");
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: null, budget_duration: "1d" });
  const enforced = await change({ enforcement: "enforce" });
  expect(enforced.sync.status).toBe("synced");
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 7.7, litellm_budget_table: { soft_budget: 5.6 } });
});

it("reports a duration that LiteLLM does not take away", async () => {
  const tenant = await change({ budgetDuration: null });
  expect(tenant.config.budgetDuration).toBeNull();
  expect(tenant.sync).toMatchObject({
    status: "pending",
    error: expect.stringContaining("kept budget_duration 30d"),
  });
});

it("leaves LiteLLM alone for a change that it does not need", async () => {
  const tenant = await change({ name: "Acme Inc.", failPolicy: "closed" });
  expect(tenant.sync.status).toBe("synced");
  expect(world.litellm.requests()).toEqual([]);
  expect(deps.snapshots.configs.get(acme)).toEqual(tenant.config);
});

it("makes the change while LiteLLM is away, reports it as pending, and the sweep syncs it", async () => {
  await world.litellm.stop();
  const tenant = await change({ maxBudgetNanoUsd: usd("10") });
  expect(tenant.sync).toMatchObject({ status: "pending", error: expect.stringContaining("cannot be reached") });
  expect(deps.snapshots.configs.get(acme)).toMatchObject({ maxBudgetNanoUsd: usd("10") });
  await world.litellm.restart();
  await syncLiteLlm({ tenantId: acme, now: NOW }, world.deps());
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 11 });
});

it("makes the change although KV and the queue are away", async () => {
  deps.snapshots.isAway = true;
  deps.spendQueue.isAway = true;
  expect((await change({ maxBudgetNanoUsd: usd("10") })).sync.status).toBe("synced");
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 11 });
});

it("tries LiteLLM again when a pending change is repeated", async () => {
  await world.litellm.stop();
  await change({ maxBudgetNanoUsd: usd("10") });
  await world.litellm.restart();
  renewDeps();
  expect((await change({ maxBudgetNanoUsd: usd("10") })).sync.status).toBe("synced");
});

it("X5: ends with one administrator's whole change when two meet, in Postgres and in LiteLLM alike", async () => {
  await Promise.all([change({ maxBudgetNanoUsd: usd("100") }), change({ maxBudgetNanoUsd: usd("200") })]);
  await syncLiteLlm({ tenantId: acme, now: NOW }, deps);
  const tenant = await deps.tenants.load(acme);
  expect(tenant?.sync.status).toBe("synced");
  const isFirst = tenant?.config.maxBudgetNanoUsd === usd("100");
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: isFirst ? 110 : 220 });
});

it.each<TenantChange>([{ name: "x" }, { metadata: { plan: "gold" } }])(
  "reports a tenant that does not exist",
  async (asked) => {
    const input = { tenantId: idOf("nobody"), change: asked, actor: anActor() };
    expect(await changeTenant(input, deps)).toEqual({ ok: false, failure: "not_found" });
  },
);

it("throws, with nothing half done, when Postgres is away", async () => {
  world.db.away();
  try {
    await expect(change({ maxBudgetNanoUsd: usd("10") })).rejects.toThrow("postgres");
  } finally {
    world.db.back();
  }
  expect(world.litellm.requests()).toEqual([]);
  expect(deps.snapshots.configs.get(acme)).toMatchObject({ maxBudgetNanoUsd: usd("500") });
});
