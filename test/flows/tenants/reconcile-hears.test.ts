// Who hears of what reconciling finds, and what becomes of what LiteLLM does not say.

import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../../src/flows/spend/lease-reads.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { NOW, SECOND, usd } from "../../budget/builders.ts";
import { ownKeyInput } from "../../support/admin-world.ts";
import { idOf } from "../../support/builders.ts";
import { HOUR, useReconcileWorld } from "../../support/reconcile-world.ts";
import { sha256 } from "../../support/virtual-key.ts";

const { key, minute, addTenant, adopt, world, deps, alerts, told, spendOf } = useReconcileWorld();

describe("who hears of it", () => {
  const kvReads = () => {
    const { tenant } = deps.snapshots;
    let reads = 0;
    deps.snapshots.tenant = (id) => {
      reads++;
      return tenant.call(deps.snapshots, id);
    };
    return () => reads;
  };

  it("the edge, of a figure that has changed", async () => {
    world.litellm.setSpend(key, 30);
    await minute();
    expect(deps.snapshots.spends.get(idOf("acme"))).toMatchObject({ spendNanoUsd: usd("30") });
  });

  it("the edge not, of a tenant that is all right and as it was: KV is not even read", async () => {
    await minute();
    world.now += HOUR;
    const reads = kvReads();
    await minute();
    expect(reads()).toBe(0);
  });

  it("the edge again, of a tenant that is not all right, in case whoever recorded it died", async () => {
    world.litellm.setSpend(key, 410);
    await minute();
    deps.snapshots.spends.clear();
    deps.memory = new (deps.memory.constructor as new () => typeof deps.memory)();
    world.now += HOUR;
    await minute();
    expect(deps.snapshots.spends.get(idOf("acme"))).toMatchObject({ spendNanoUsd: usd("410") });
  });

  it("LiteLLM, that it has another budget than it should", async () => {
    await world.manage("POST", "/key/update", { key, max_budget: 1 });
    expect((await minute()).others).toEqual([{ kind: "sync_litellm", tenant_id: "acme" }]);
  });

  it("nobody, where all is as it should be", async () => {
    expect((await minute()).others).toEqual([]);
    expect(deps.log.lines.filter((line) => !line.startsWith("info"))).toEqual([]);
  });
});

describe("what LiteLLM does not say", () => {
  it("a key that it does not know is said once by its sync, and asked for again an hour later", async () => {
    const other = await addTenant("other");
    await world.manage("POST", "/key/delete", { keys: [key] });
    const { given, others } = await minute();
    expect([given, others]).toEqual([["acme", "other"], [{ kind: "sync_litellm", tenant_id: "acme" }]]);
    expect(deps.log.lines).toContain('warn litellm drifted {"tenant_id":"acme","drifted":0,"unknown":1}');
    expect(await spendOf("other")).toMatchObject({ readAt: world.now });
    expect(other).not.toBe(key);
    world.now += HOUR - SECOND;
    expect((await minute()).given).toEqual(["other"]);
    world.now += SECOND;
    expect((await minute()).given).toEqual(["acme"]);
  });

  it("a team that it does not know is unknown as well", async () => {
    const { team_id: id } = await world.manage("POST", "/team/new", { team_alias: "red", max_budget: 100 });
    const origin = { kind: "adopted", subject: { kind: "team", id } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("red"), origin, settings: {} }), deps);
    await world.manage("POST", "/team/delete", { team_ids: [id] });
    world.now += HOUR;
    expect((await minute()).others).toContainEqual({ kind: "sync_litellm", tenant_id: "red" });
  });

  it("a wish that is pending already is not queued again", async () => {
    await world.manage("POST", "/key/delete", { keys: [key] });
    await world.db.query("update tenant_configs set litellm_sync = 'pending'");
    expect((await minute()).others).toEqual([]);
  });

  it("while it is away one line per message says so, nothing changes, and the tenants come again in ten minutes", async () => {
    await addTenant("other");
    await world.litellm.stop();
    const { given, others } = await minute();
    expect([given.length, others]).toEqual([2, []]);
    expect(deps.log.lines.filter((line) => line.startsWith("warn"))).toEqual([
      'warn litellm read failed {"tenants":2,"why":"network"}',
    ]);
    expect(await spendOf()).toMatchObject({ readAt: NOW });
    await world.litellm.restart();
    expect((await minute()).given).toEqual([]);
    world.now += LEASE_MS;
    expect((await minute()).given).toEqual(["acme", "other"]);
    expect(await spendOf()).toMatchObject({ readAt: world.now });
  });
});

describe("one tenant that breaks", () => {
  it("stops no other, and comes again when its lease is over", async () => {
    await addTenant("other");
    world.litellm.setSpend(key, 420);
    const { record } = deps.alerts;
    deps.alerts.record = async (entry) => {
      if (entry.tenantId === "acme") throw new Error("a bug");
      return record(entry);
    };
    await minute();
    expect(deps.log.lines).toContain('error tenant reconcile failed {"tenant_id":"acme"} Error: a bug');
    expect(await spendOf("other")).toMatchObject({ readAt: world.now });
    deps.alerts.record = record;
    world.now += LEASE_MS + SECOND;
    expect((await minute()).given).toEqual(["acme"]);
    expect(await told()).toEqual(["threshold_crossed"]);
  });

  it("a baseline that could not be recorded is still the baseline the next time", async () => {
    await adopt("globex", 17);
    world.litellm.setSpend(sha256("sk-globex-0123456789abcdef"), 20.5);
    const { record } = deps.alerts;
    deps.alerts.record = () => Promise.reject(new Error("a bug"));
    await minute();
    deps.alerts.record = record;
    world.now += LEASE_MS + SECOND;
    await minute();
    expect((await alerts()).map(({ event_type: event, silent }) => [event, silent])).toEqual([
      ["threshold_crossed", true],
      ["budget_crossed", false],
    ]);
  });
});
