// Messages for one tenant on the spend queue, on a real Postgres: any order, any number of times, the same end.

import { beforeEach, describe, expect, it } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { readMessage, type SpendMessage } from "../../../src/ports/messages.ts";
import { aRead, aTenantConfig, DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
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
const read = (dollars: string, begunAt: number, resetsAt = RESET) =>
  readMessage(own, aRead({ spendNanoUsd: usd(dollars), begunAt, resetsAt }));
const stored = async () => (await deps.tenants.load(acme))?.spend ?? null;

const three = [read("1", NOW + SECOND), read("3", NOW + 2 * SECOND), read("2", NOW + 3 * SECOND)];

describe("reads by checks", () => {
  it("merge into the highest one of the period", async () => {
    await apply(...three);
    expect(await stored()).toMatchObject({ spendNanoUsd: usd("3"), readAt: NOW + 3 * SECOND });
  });

  it("end in the same spend in any order, in any batches, however often", async () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [1, 1, 2, 0, 0],
    ]) {
      await world.db.query("delete from tenant_spend");
      await apply(read("0", NOW));
      for (const index of order) await apply(...[three[index]].filter((each) => each !== undefined));
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("3"), readAt: NOW + 3 * SECOND, epoch: NOW / SECOND });
    }
  });

  it("write no snapshot within the epoch, because the refresh has written it", async () => {
    await apply(...three);
    expect(deps.snapshots.spends.size).toBe(0);
  });

  it("write a snapshot when they replace the spend, which no check knows", async () => {
    await apply(read("9", NOW + SECOND));
    const before = (await stored())?.epoch ?? 0;
    await apply(read("4", NOW + 2 * SECOND), read("4", NOW + 60 * SECOND));
    const after = { spendNanoUsd: usd("4"), epoch: before + 1 };
    expect(await stored()).toMatchObject(after);
    expect(deps.snapshots.spends.get(acme)).toMatchObject(after);
  });

  it("advance the period once, and reach every colo", async () => {
    const next = read("1", RESET + MINUTE, RESET + 30 * DAY);
    await apply(next);
    const config = { litellmKeyLastReset: RESET, budgetResetAt: RESET + 30 * DAY };
    expect(deps.snapshots.configs.get(acme)).toMatchObject(config);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ periodStartedAt: RESET, spendNanoUsd: usd("1") });
    const { config: after } = (await deps.tenants.load(acme)) ?? {};
    await apply(next, ...three);
    expect((await deps.tenants.load(acme))?.config).toEqual(after);
  });

  it("reach KV by the next read when KV failed at the first one", async () => {
    const next = read("1", RESET, RESET + DAY);
    deps.snapshots.isAway = true;
    await apply(next);
    deps.snapshots.isAway = false;
    await apply(next);
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ litellmKeyLastReset: RESET });
  });

  it("are ignored for a former subject of the tenant id", async () => {
    const former = aTenantConfig({ tenantId: acme, subject: { kind: "key", id: sha256("sk-former") } });
    await apply(readMessage(former, aRead({ spendNanoUsd: usd("600") })));
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
