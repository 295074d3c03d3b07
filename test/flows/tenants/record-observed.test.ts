// Messages for one tenant on the spend queue, on a real Postgres: any order, any number of times, the same end.

import { beforeEach, describe, expect, it } from "vitest";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { observedMessage, type SpendMessage } from "../../../src/ports/messages.ts";
import { aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, idOf, incomingOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const { world, deps } = useAdminWorld();

beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  deps.snapshots.spends.clear();
});

async function apply(...messages: SpendMessage[]): Promise<void> {
  const incoming = messages.map((each, index) => incomingOf(each, { messageId: `m${index}` }));
  const failed = await recordSpend({ incoming, now: NOW }, deps);
  if (failed.size > 0) throw new Error(`${failed.size} messages failed`);
}
const own = aTenantConfig({ tenantId: acme, subject: { kind: "key", id: sha256(VIRTUAL_KEY) } });
const observed = (differences: Partial<SpendRecord>) =>
  observedMessage(own, aSpendRecord({ periodStartedAt: NOW, ...differences }));
const stored = async () => (await deps.tenants.load(acme))?.spend ?? null;

const three = [
  observed({ spendNanoUsd: usd("1"), observedAt: NOW + SECOND, readAt: NOW + SECOND }),
  observed({ spendNanoUsd: usd("3"), observedAt: NOW + 2 * SECOND, readAt: NOW + 2 * SECOND }),
  observed({ spendNanoUsd: usd("2"), observedAt: NOW + 3 * SECOND, readAt: NOW + 3 * SECOND }),
];

describe("observations", () => {
  it("merge into the highest one of the period", async () => {
    await apply(...three);
    expect(await stored()).toMatchObject({ spendNanoUsd: usd("3"), readAt: NOW + 3 * SECOND });
  });

  it("end in the same record in any order, in any batches, however often", async () => {
    await apply(...three);
    const once = await stored();
    for (const order of [
      [2, 1, 0],
      [1, 0, 2],
      [0, 0, 2, 1, 1],
    ]) {
      await world.db.query("delete from tenant_spend");
      for (const index of order) await apply(...[three[index]].filter((each) => each !== undefined));
      expect(await stored()).toEqual(once);
    }
  });

  it("write no snapshot within the period, because the refresh has written it", async () => {
    await apply(...three);
    expect(deps.snapshots.spends.size).toBe(0);
  });

  it("advance the period once, and reach every colo", async () => {
    const next = observed({
      spendNanoUsd: usd("1"),
      observedAt: RESET + MINUTE,
      readAt: RESET + MINUTE,
      periodStartedAt: RESET,
      resetsAt: RESET + 30 * DAY,
    });
    await apply(next);
    const config = { litellmKeyLastReset: RESET, budgetResetAt: RESET + 30 * DAY };
    expect(deps.snapshots.configs.get(acme)).toMatchObject(config);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ periodStartedAt: RESET, spendNanoUsd: usd("1") });
    const { config: after } = (await deps.tenants.load(acme)) ?? {};
    await apply(next, ...three);
    expect((await deps.tenants.load(acme))?.config).toEqual(after);
  });

  it("reach KV by the second delivery when KV failed at the first one", async () => {
    const next = observed({ periodStartedAt: RESET, observedAt: RESET, readAt: RESET, resetsAt: RESET + DAY });
    deps.snapshots.isAway = true;
    await expect(apply(next)).rejects.toThrow();
    deps.snapshots.isAway = false;
    await apply(next);
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ litellmKeyLastReset: RESET });
  });

  it("are ignored for a former subject of the tenant id", async () => {
    const former = aTenantConfig({ tenantId: acme, subject: { kind: "key", id: sha256("sk-former") } });
    await apply(observedMessage(former, aSpendRecord({ spendNanoUsd: usd("600"), periodStartedAt: NOW + DAY })));
    expect(await stored()).toMatchObject({ spendNanoUsd: 0n });
  });

  it("are ignored for a deleted tenant", async () => {
    await deps.tenants.markDeleted(acme, anActor());
    await apply(...three);
    expect(await world.db.query("select 1 from tenant_spend where spend > 0")).toEqual([]);
    expect(deps.snapshots.spends.size).toBe(0);
  });
});

describe("requests that read Postgres", () => {
  it("rewrite the config in KV from Postgres", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("7") }, anActor());
    await apply({ kind: "rewrite_config", tenant_id: "acme" }, { kind: "rewrite_config", tenant_id: "acme" });
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ maxBudgetNanoUsd: usd("7") });
  });

  it("sync LiteLLM to the desired state, once per batch", async () => {
    await world.manage("POST", "/key/update", { key: sha256(VIRTUAL_KEY), max_budget: 9_999 });
    world.litellm.clearRequests();
    await apply({ kind: "sync_litellm", tenant_id: "acme" }, { kind: "sync_litellm", tenant_id: "acme" });
    expect(await world.keyRow(sha256(VIRTUAL_KEY))).toMatchObject({ max_budget: 550 });
    expect(world.changesSent()).toEqual(["/key/update"]);
  });

  it("throw when Postgres is away, so that the queue redelivers", async () => {
    world.db.away();
    await expect(apply(...three)).rejects.toMatchObject({ name: "Outage", dependency: "postgres" });
    world.db.back();
    await apply(...three);
    expect(await stored()).toMatchObject({ spendNanoUsd: usd("3") });
  });
});
