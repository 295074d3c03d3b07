// Loading a tenant without LiteLLM: memory, KV, Postgres. Copies are joined, never replaced by an older one.

import { beforeEach, describe, expect, it } from "vitest";
import { type LoadedTenant, loadTenant } from "../../../src/flows/check/load-tenant.ts";
import { joinCached } from "../../../src/flows/edge/cached-tenant.ts";
import type { CachedTenant } from "../../../src/records/edge.ts";
import { aSpendRecord, aTenantConfig, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { ACME, CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

function recall(): Promise<LoadedTenant> {
  return world.timers.runUntil(loadTenant({ tenantId: ACME, now: world.clock() }, world.deps()));
}

const old = aTenantConfig({ revision: 1, maxBudgetNanoUsd: usd("100") });
const young = aTenantConfig({ revision: 2, maxBudgetNanoUsd: usd("200") });
const less = aSpendRecord({ spendNanoUsd: usd("10") });
const more = aSpendRecord({ spendNanoUsd: usd("20") });

describe("joining two cached copies", () => {
  it.each<[string, CachedTenant | null, CachedTenant, CachedTenant]>([
    [
      "the newer config wins, whichever side it is on",
      { config: young, spend: null },
      { config: old, spend: null },
      { config: young, spend: null },
    ],
    [
      "and on the other side",
      { config: old, spend: null },
      { config: young, spend: null },
      { config: young, spend: null },
    ],
    [
      "the higher spend of a period wins",
      { config: old, spend: more },
      { config: old, spend: less },
      { config: old, spend: more },
    ],
    [
      "takes the higher spend from either side",
      { config: old, spend: less },
      { config: old, spend: more },
      { config: old, spend: more },
    ],
    [
      "each half may come from another side",
      { config: young, spend: null },
      { config: old, spend: more },
      { config: young, spend: more },
    ],
    [
      "a missing half takes nothing away",
      { config: old, spend: more },
      { config: null, spend: null },
      { config: old, spend: more },
    ],
    [
      "another subject of the same id takes nothing over",
      { config: old, spend: more },
      { config: aTenantConfig({ revision: 99, subject: { kind: "team", id: "t" } }), spend: less },
      { config: aTenantConfig({ revision: 99, subject: { kind: "team", id: "t" } }), spend: less },
    ],
    ["returns the only copy unchanged", null, { config: old, spend: less }, { config: old, spend: less }],
  ])("%s", (_, a, b, joined) => {
    expect(joinCached(a, b)).toEqual(joined);
  });
});

describe("memory", () => {
  it("answers for two seconds without any read", async () => {
    world.inKv(old, { spendNanoUsd: usd("10") });
    await recall();
    world.inKv(young, { spendNanoUsd: usd("20") });
    await world.timers.pass(1_999);
    expect(await recall()).toEqual({ kind: "known", known: expect.objectContaining({ config: old, spend: less }) });
    await world.timers.pass(1);
    expect(await recall()).toEqual({ kind: "known", known: { config: young, spend: more } });
  });

  it("joins the memory with an older KV instead of replacing it", async () => {
    world.memory.rememberTenant(ACME, { config: young, spend: more }, NOW - MINUTE);
    world.inKv(old, { spendNanoUsd: usd("10") });
    expect(await recall()).toEqual({ kind: "known", known: { config: young, spend: more } });
    expect(world.memory.tenant(ACME)).toEqual({ config: young, spend: more, checkedAt: NOW });
  });

  it.each([
    ["serves while KV is slow, without Postgres, up to the age of a colo's copy", 29_999, 0],
    ["is no substitute for a slow KV when it is older", 30_000, 1],
  ])("%s", async (_, ageMs, loads) => {
    world.memory.rememberTenant(ACME, { config: old, spend: less }, NOW - ageMs);
    world.inKv(young);
    world.inPostgres(young);
    world.snapshots.trouble("tenant", 60);
    const loaded = await recall();
    expect(loaded).toMatchObject({ kind: "known", known: { config: loads === 0 ? old : young } });
    expect(world.tenants.calls("load")).toBe(loads);
    await world.untilQuiet();
    expect(world.memory.tenant(ACME)?.config).toEqual(young);
  });
});

describe("KV", () => {
  it("reports a tombstone as gone, and forgets the tenant with its keys", async () => {
    world.memory.rememberTenant(ACME, { config: old, spend: less }, NOW - MINUTE);
    world.memory.rememberTenantOf(hashOf("a"), ACME, NOW);
    world.kv.configs.set(ACME, { deletedRevision: 3, deletedAt: 0, revision: 3 });
    expect(await recall()).toEqual({ kind: "gone" });
    expect(world.memory.tenant(ACME)).toBeNull();
    expect(world.memory.tenantOf(hashOf("a"), NOW)).toBeUndefined();
  });

  it.each([
    [2, "gone"],
    [1, "known"],
  ])("counts for nothing behind a deletion seen at its revision or later: at %s, %s", async (deleted, kind) => {
    world.inKv(aTenantConfig({ revision: 2 }));
    world.memory.rememberGone(ACME, deleted, NOW);
    expect((await recall()).kind).toBe(kind);
  });

  it.each([
    ["has no config", () => {}],
    ["fails", () => world.snapshots.trouble("tenant", new Error("down"))],
    ["is slow", () => world.snapshots.trouble("tenant", 5 * SECOND)],
  ])("asks Postgres when KV %s, and writes the config to KV again", async (_, arrange) => {
    world.inPostgres(young, { spendNanoUsd: usd("20") });
    arrange();
    expect(await recall()).toEqual({ kind: "known", known: { config: young, spend: more } });
    await world.untilQuiet();
    expect(world.kv.configs.get(ACME)).toEqual(young);
  });

  it.each([
    ["a recent tombstone", NOW - MINUTE],
    ["an old tombstone of an older revision than the remembered one", 0],
  ])("asks Postgres about %s, because the id may be in use again", async (_, deletedAt) => {
    world.memory.rememberTenant(ACME, { config: aTenantConfig({ revision: 12 }), spend: null }, NOW - MINUTE);
    world.kv.configs.set(ACME, { deletedRevision: 10, deletedAt, revision: 10 });
    world.inPostgres(aTenantConfig({ revision: 12 }));
    expect(await recall()).toMatchObject({ kind: "known", known: { config: { revision: 12 } } });
  });

  it("ignores spend without its config, which may be of another subject", async () => {
    world.kv.spends.set(ACME, more);
    world.inPostgres(young, { spendNanoUsd: usd("10") });
    expect(await recall()).toMatchObject({
      kind: "known",
      known: { config: young, spend: { spendNanoUsd: usd("10") } },
    });
  });
});

describe("Postgres", () => {
  it("reports a tenant that Postgres does not have as gone, and forgets its keys", async () => {
    world.memory.rememberTenantOf(hashOf("a"), ACME, NOW);
    expect(await recall()).toEqual({ kind: "gone" });
    expect(world.memory.tenantOf(hashOf("a"), NOW)).toBeUndefined();
  });

  it("answers from the memory, whatever its age, while KV and Postgres are away", async () => {
    world.memory.rememberTenant(ACME, { config: old, spend: less }, NOW - 60 * MINUTE);
    world.snapshots.trouble("tenant", new Error("down"));
    world.tenants.trouble("load", new Error("down"));
    expect(await recall()).toMatchObject({ kind: "known", known: { config: old, spend: less } });
  });

  it("reports unreachable while Postgres is away and the memory is empty", async () => {
    world.tenants.trouble("load", new Error("down"));
    expect(await recall()).toEqual({ kind: "unreachable" });
    expect(world.memory.hasStoreFailed(world.clock())).toBe(true);
  });

  it("logs a failure of each store with the tenant", async () => {
    world.snapshots.trouble("tenant", new Error("kv down"));
    world.tenants.trouble("load", new Error("pg down"));
    await recall();
    expect(world.log.lines).toContain('error kv tenant read failed {"tenant_id":"acme"} Error: kv down');
    expect(world.log.lines).toContain('error postgres tenant read failed {"tenant_id":"acme"} Error: pg down');
  });

  it.each([
    ["KV decides late", "known", 70, "hangs"],
    ["Postgres decides before a slow KV", "known", "hangs", 30],
    ["Postgres fails before a slow KV decides", "known", 70, new Error("down")],
  ] as const)("%s", async (_, kind, kv, postgres) => {
    world.inKv(young);
    world.inPostgres(young);
    world.snapshots.trouble("tenant", kv);
    world.tenants.trouble("load", postgres);
    expect((await recall()).kind).toBe(kind);
  });

  it("leaves the decision to Postgres when KV turns out late to have nothing", async () => {
    world.inPostgres(young);
    world.snapshots.trouble("tenant", 50);
    world.tenants.trouble("load", 60);
    expect(await recall()).toMatchObject({ kind: "known", known: { config: young } });
  });
});
