// Where a reconcile publishes its result, and what it does when LiteLLM does not answer.

import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../../src/flows/spend/lease-reads.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { HOUR, useReconcileWorld } from "../../support/worlds/reconcile-world.ts";

const { key, sweepAndReconcile, addTenant, adopt, world, deps, alerts, notices, spendOf } = useReconcileWorld();

describe("publishing after a reconcile", () => {
  const kvReads = () => {
    const { tenant } = deps.snapshots;
    let reads = 0;
    deps.snapshots.tenant = (id) => {
      reads++;
      return tenant.call(deps.snapshots, id);
    };
    return () => reads;
  };

  it("publishes changed spend to the edge", async () => {
    world.litellm.setSpend(key, 30);
    await sweepAndReconcile();
    expect(deps.snapshots.spends.get(idOf("acme"))).toMatchObject({ spendNanoUsd: usd("30") });
  });

  it("publishes nothing of an unchanged tenant in state ok, and reads nothing from KV", async () => {
    await sweepAndReconcile();
    world.now += HOUR;
    const reads = kvReads();
    await sweepAndReconcile();
    expect(reads()).toBe(0);
  });

  it("publishes a tenant in another state again, because the consumer that recorded it may have died", async () => {
    world.litellm.setSpend(key, 410);
    await sweepAndReconcile();
    deps.snapshots.spends.clear();
    deps.memory = new (deps.memory.constructor as new () => typeof deps.memory)();
    world.now += HOUR;
    await sweepAndReconcile();
    expect(deps.snapshots.spends.get(idOf("acme"))).toMatchObject({ spendNanoUsd: usd("410") });
  });

  it("queues a sync when LiteLLM has another budget", async () => {
    await world.manage("POST", "/key/update", { key, max_budget: 1 });
    expect((await sweepAndReconcile()).others).toEqual([{ kind: "sync_litellm", tenant_id: "acme" }]);
  });

  it("does nothing when nothing has changed or drifted", async () => {
    expect((await sweepAndReconcile()).others).toEqual([]);
    expect(deps.log.lines.filter((line) => !line.startsWith("info"))).toEqual([]);
  });
});

describe("missing answers of LiteLLM", () => {
  it("syncs a key that LiteLLM does not know once, and reads it again an hour later", async () => {
    const other = await addTenant("other");
    await world.manage("POST", "/key/delete", { keys: [key] });
    const { leased, others } = await sweepAndReconcile();
    expect([leased, others]).toEqual([["acme", "other"], [{ kind: "sync_litellm", tenant_id: "acme" }]]);
    expect(deps.log.lines).toContain('warn litellm subject changed {"tenant_id":"acme","finding":"missing"}');
    expect(await spendOf("other")).toMatchObject({ readAt: world.now });
    expect(other).not.toBe(key);
    world.now += HOUR - SECOND;
    expect((await sweepAndReconcile()).leased).toEqual(["other"]);
    world.now += SECOND;
    expect((await sweepAndReconcile()).leased).toEqual(["acme"]);
  });

  it("treats a team that LiteLLM does not know alike", async () => {
    const { team_id: id } = await world.manage("POST", "/team/new", { team_alias: "red", max_budget: 100 });
    const origin = { kind: "adopted", subject: { kind: "team", id } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("red"), origin, settings: {} }), deps);
    await world.manage("POST", "/team/delete", { team_ids: [id] });
    world.now += HOUR;
    expect((await sweepAndReconcile()).others).toContainEqual({ kind: "sync_litellm", tenant_id: "red" });
  });

  it("queues no second sync for a pending desired state", async () => {
    await world.manage("POST", "/key/delete", { keys: [key] });
    await world.db.query("update tenant_configs set litellm_sync = 'pending'");
    expect((await sweepAndReconcile()).others).toEqual([]);
  });

  it("logs one line per message while LiteLLM is away, changes nothing, and leases the tenants again in ten minutes", async () => {
    await addTenant("other");
    await world.litellm.stop();
    const { leased, others } = await sweepAndReconcile();
    expect([leased.length, others]).toEqual([2, []]);
    expect(deps.log.lines.filter((line) => line.startsWith("warn"))).toEqual([
      'warn litellm read failed {"tenants":2,"tenant_id":"acme","why":"network"}',
    ]);
    expect(await spendOf()).toMatchObject({ readAt: NOW - MINUTE });
    await world.litellm.restart();
    expect((await sweepAndReconcile()).leased).toEqual([]);
    world.now += LEASE_MS;
    expect((await sweepAndReconcile()).leased).toEqual(["acme", "other"]);
    expect(await spendOf()).toMatchObject({ readAt: world.now });
  });
});

describe("a tenant that fails", () => {
  it("stops no other tenant, and is leased again when its lease expires", async () => {
    await addTenant("other");
    world.litellm.setSpend(key, 420);
    const { record } = deps.alerts;
    deps.alerts.record = async (entry) => {
      if (entry.tenantId === "acme") throw new Error("a bug");
      return record(entry);
    };
    await sweepAndReconcile();
    expect(deps.log.lines).toContain('error tenant reconcile failed {"tenant_id":"acme"} Error: a bug');
    expect(await spendOf("other")).toMatchObject({ readAt: world.now });
    deps.alerts.record = record;
    world.now += LEASE_MS + SECOND;
    expect((await sweepAndReconcile()).leased).toEqual(["acme"]);
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("keeps a baseline that could not be recorded for the next reconcile", async () => {
    await adopt("globex", 17);
    world.litellm.setSpend(sha256("sk-globex-0123456789abcdef"), 20.5);
    const { record } = deps.alerts;
    deps.alerts.record = () => Promise.reject(new Error("a bug"));
    await sweepAndReconcile();
    deps.alerts.record = record;
    world.now += LEASE_MS + SECOND;
    await sweepAndReconcile();
    expect((await alerts()).map(({ event_type: event, silent }) => [event, silent])).toEqual([
      ["threshold_crossed", true],
      ["budget_crossed", false],
    ]);
  });
});
