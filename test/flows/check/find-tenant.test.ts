// Resolving a key: memory, KV, Postgres, LiteLLM, in this order, and as few of them as possible.

import { beforeEach, describe, expect, it } from "vitest";
import { type FoundTenant, findTenant } from "../../../src/flows/check/find-tenant.ts";
import { aTenantConfig, SECOND } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, ADDRESS, CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

function find(key = "a"): Promise<FoundTenant> {
  const input = { keyHash: hashOf(key), callerAddress: ADDRESS, now: world.clock() };
  return world.timers.runUntil(findTenant(input, world.deps()));
}

describe("a key that KV knows", () => {
  beforeEach(() => void world.hasTenant());

  it("finds the key in KV, and remembers it for a minute", async () => {
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME, known: null });
    await world.timers.pass(59_999);
    await find();
    expect(world.snapshots.calls("tenantOfKey")).toBe(1);
    await world.timers.pass(1);
    await find();
    expect(world.snapshots.calls("tenantOfKey")).toBe(2);
    expect(world.tenants.calls("findByKey")).toBe(0);
  });

  it("finds the key although its address is rate-limited", async () => {
    world.memory.rateLimit(ADDRESS, world.clock() + SECOND);
    expect((await find()).kind).toBe("tenant");
  });
});

describe("a key that only Postgres knows", () => {
  beforeEach(() => {
    world.hasTenant();
    world.kv.configs.clear();
    world.kv.tenantsOfKeys.clear();
  });

  it("returns all that Postgres knows of the tenant, and writes the key to KV", async () => {
    const found = await find();
    expect(found).toMatchObject({
      kind: "tenant",
      known: { config: { tenantId: ACME }, spend: { source: "litellm" } },
    });
    await world.untilQuiet();
    expect([world.kv.tenantsOfKeys.get(hashOf("a")), world.kv.configs.has(ACME)]).toEqual([ACME, true]);
  });

  it("finds the key in Postgres when KV holds no tenant for it", async () => {
    world.kv.tenantsOfKeys.set(hashOf("a"), null);
    expect((await find()).kind).toBe("tenant");
  });

  it("counts a slow Postgres as unreachable, and keeps its answer for the next check", async () => {
    world.tenants.trouble("findByKey", 41);
    expect(await find()).toEqual({ kind: "unreachable" });
    await world.untilQuiet();
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME, known: null });
    expect(world.tenants.calls("findByKey")).toBe(1);
  });

  it("logs a failed write to KV, and finds the key all the same", async () => {
    world.snapshots.trouble("writeTenantOfKey", new Error("down"));
    expect((await find()).kind).toBe("tenant");
    await world.untilQuiet();
    expect(world.log.lines).toEqual(['error kv key write failed {"tenant_id":"acme"} Error: down']);
  });

  it("reads nothing from Postgres for a rate-limited address", async () => {
    world.memory.rateLimit(ADDRESS, world.clock() + SECOND);
    expect(await find()).toEqual({ kind: "too_many_unknown" });
    expect(world.tenants.calls("findByKey")).toBe(0);
  });
});

describe("a key of a team's tenant", () => {
  beforeEach(() => {
    world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-1" }));
  });

  it("finds the key through LiteLLM, once", async () => {
    expect(await find()).toMatchObject({ kind: "tenant", tenantId: ACME, known: { config: { tenantId: ACME } } });
    await world.untilQuiet();
    await find();
    expect(world.litellm.reads).toEqual([{ subject: { kind: "key", id: hashOf("a") }, at: world.clock() }]);
    expect(world.kv.tenantsOfKeys.get(hashOf("a"))).toBe(ACME);
  });

  it("keeps the key in KV until its entry expires, even when it moves to another team", async () => {
    await find();
    await world.untilQuiet();
    expect(world.kv.expiring.has(hashOf("a"))).toBe(true);
    const other = idOf("globex");
    world.inPostgres(aTenantConfig({ tenantId: other, subject: { kind: "team", id: "team-2" } }));
    world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-2" }));
    await world.timers.pass(59 * 60 * SECOND);
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME, known: null });
    await world.timers.pass(60 * SECOND);
    world.kv.tenantsOfKeys.delete(hashOf("a"));
    expect(await find()).toMatchObject({ kind: "tenant", tenantId: other });
  });

  it("keeps finding the key while LiteLLM is away, once it was found", async () => {
    await find();
    await world.untilQuiet();
    await world.timers.pass(61 * SECOND);
    world.litellm.nextTries.push(AWAY);
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME, known: null });
  });

  it("asks LiteLLM once a minute while the key is in no tenant's team", async () => {
    world.litellm.has(aLiteLlmRow({ teamId: null }));
    for (let second = 0; second < 60; second++) {
      await find();
      await world.timers.pass(SECOND);
    }
    expect(world.litellm.reads).toHaveLength(1);
    world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-1" }));
    expect(await find()).toMatchObject({ kind: "tenant", tenantId: ACME });
  });

  it.each([
    ["LiteLLM does not have it", () => world.litellm.rows.clear()],
    ["it is in no team", () => world.litellm.has(aLiteLlmRow({ teamId: null }))],
    ["its team is not a tenant", () => world.litellm.has(aLiteLlmRow({ teamId: "team-2" }))],
  ])("calls the key unknown when %s", async (_, arrange) => {
    arrange();
    expect(await find()).toEqual({ kind: "unknown" });
    expect(world.memory.tenantOfKey(hashOf("a"), world.clock())).toBeNull();
  });

  it("calls the key unreachable, not unknown, when LiteLLM cannot be asked", async () => {
    world.litellm.nextTries.push(AWAY);
    expect(await find()).toEqual({ kind: "unreachable" });
    expect(world.memory.tenantOfKey(hashOf("a"), world.clock())).toBeUndefined();
  });

  it("calls the key unreachable, not unknown, when Postgres goes away in between", async () => {
    world.tenants.trouble("findBySubject", new Error("down"));
    expect(await find()).toEqual({ kind: "unreachable" });
    expect(world.log.lines).toContain("error postgres key read failed {} Error: down");
  });

  it("keeps the key for the next check when Postgres was too slow for this one", async () => {
    world.tenants.trouble("findBySubject", 41);
    expect(await find()).toEqual({ kind: "unreachable" });
    await world.untilQuiet();
    expect(await find()).toMatchObject({ kind: "tenant", tenantId: ACME });
  });
});

describe("a key without a tenant", () => {
  it("calls the key unknown without LiteLLM while no tenant is a team's", async () => {
    world.hasTenant();
    world.kv.tenantsOfKeys.clear();
    world.postgres.keys.clear();
    expect(await find()).toEqual({ kind: "unknown" });
    expect(world.litellm.reads).toEqual([]);
  });

  it("remembers the key as unknown for a minute, and counts its caller each time", async () => {
    await find();
    await world.timers.pass(59_999);
    await find();
    expect([world.tenants.calls("findByKey"), world.callers.checked]).toEqual([1, [ADDRESS, ADDRESS]]);
  });

  it("looks the key up again after a minute, however often it asks meanwhile", async () => {
    await find();
    for (let second = 0; second < 60; second++) {
      await world.timers.pass(SECOND);
      if (second === 30) world.hasTenant();
      await find();
    }
    expect((await find()).kind).toBe("tenant");
  });

  it("rate-limits its caller for ten seconds, but not for known keys", async () => {
    world.callers.isAllowed = false;
    expect(await find("b")).toEqual({ kind: "too_many_unknown" });
    expect(await find("c")).toEqual({ kind: "too_many_unknown" });
    expect(world.tenants.calls("findByKey")).toBe(1);
    world.hasTenant();
    expect((await find("a")).kind).toBe("tenant");
    await world.timers.pass(10 * SECOND);
    await find("c");
    expect(world.tenants.calls("findByKey")).toBe(2);
  });

  it.each([
    ["hangs", "hangs" as const, 'warn unknown caller count slow {"waited_ms":40}'],
    ["fails", new Error("down"), "error unknown caller count failed {} Error: down"],
  ])("calls the key unknown when the rate limit %s, and logs it", async (_, trouble, line) => {
    world.unknownCallers.trouble("allows", trouble);
    expect(await find()).toEqual({ kind: "unknown" });
    expect(world.log.lines).toEqual([line]);
  });
});

it.each(["hangs", new Error("down")] as const)(
  "calls a key unreachable, not unknown, while KV and Postgres are both away (%s)",
  async (how) => {
    world.hasTenant();
    world.snapshots.trouble("tenantOfKey", how);
    world.tenants.trouble("findByKey", how);
    expect(await find()).toEqual({ kind: "unreachable" });
    expect([world.callers.checked, world.memory.tenantOfKey(hashOf("a"), world.clock())]).toEqual([[], undefined]);
  },
);
