// Resolving a key: memory, KV, Postgres, LiteLLM, in this order, and as few of them as possible.

import { beforeEach, describe, expect, it } from "vitest";
import { UNMANAGED } from "../../../src/budget/tenant.ts";
import { type FoundTenant, findByKey } from "../../../src/flows/check/find-tenant.ts";
import { aTenantConfig, SECOND } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, ADDRESS, CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const NEVER = new Promise<never>(() => {});
const PATIENT = { isTeamKnown: false, deadline: NEVER, onLate: async () => {} } as const;

/** Looks a key up; `patienceMs`: until the check's deadline, which is never without it. */
function find(key = "a", patienceMs?: number): Promise<FoundTenant> {
  const deadline = patienceMs === undefined ? NEVER : world.timers.after(patienceMs).passed;
  const search = { ...PATIENT, keyHash: hashOf(key), network: ADDRESS, now: world.clock(), deadline };
  return world.timers.runUntil(findByKey(search, world.deps()));
}

/** Spends the tokens of the network on keys that LiteLLM does not know. */
async function guess(times: number): Promise<void> {
  for (let index = 0; index < times; index++) await find(`guess ${guesses++}`);
}

let guesses = 0;

describe("a key that KV knows", () => {
  beforeEach(() => void world.hasTenant());

  it("finds the key in KV, and remembers it for a minute", async () => {
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
    await world.timers.pass(59_999);
    await find();
    expect(world.snapshots.calls("ownerOf")).toBe(1);
    await world.timers.pass(1);
    await find();
    expect(world.snapshots.calls("ownerOf")).toBe(2);
    expect(world.tenants.calls("findByKey")).toBe(0);
  });

  it("finds the key although its network has guessed too often", async () => {
    await guess(40);
    expect((await find()).kind).toBe("tenant");
  });
});

describe("a key that only Postgres knows", () => {
  beforeEach(() => {
    world.hasTenant();
    world.kv.configs.clear();
    world.kv.owners.clear();
  });

  it("remembers all that Postgres knows of the tenant, and writes the key to KV", async () => {
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
    expect(world.memory.tenant(ACME)).toMatchObject({ config: { tenantId: ACME }, spend: { source: "litellm" } });
    await world.untilQuiet();
    expect([world.kv.owners.get(hashOf("a")), world.kv.configs.has(ACME)]).toEqual([ACME, true]);
  });

  it("finds the key in Postgres when KV holds no tenant for it", async () => {
    world.kv.owners.set(hashOf("a"), null);
    expect((await find()).kind).toBe("tenant");
  });

  it("ends the waiting at the deadline and not the search, so that the next check finds the key", async () => {
    world.tenants.trouble("findByKey", 150);
    expect(await find("a", 100)).toEqual({ kind: "slow" });
    await world.untilQuiet();
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
    expect(world.tenants.calls("findByKey")).toBe(1);
  });

  it("searches once for checks at the same time, and answers them all", async () => {
    world.tenants.trouble("findByKey", 50);
    const search = { ...PATIENT, keyHash: hashOf("a"), network: ADDRESS, now: world.clock() };
    const finding = Array.from({ length: 10 }, () => findByKey(search, world.deps()));
    const found = await world.timers.runUntil(Promise.all(finding));
    expect(found).toEqual(Array.from({ length: 10 }, () => ({ kind: "tenant", tenantId: ACME })));
    expect(world.tenants.calls("findByKey")).toBe(1);
  });

  it("ends the waiting for another check's search at the deadline too", async () => {
    world.tenants.trouble("findByKey", "hangs");
    await find("a", 100);
    expect(await find("a", 100)).toEqual({ kind: "slow" });
  });

  it("logs a failed write to KV, and finds the key all the same", async () => {
    world.snapshots.trouble("writeOwnerOf", new Error("down"));
    expect((await find()).kind).toBe("tenant");
    await world.untilQuiet();
    expect(world.log.lines).toEqual(['error kv key write failed {"tenant_id":"acme"} Error: down']);
  });
});

describe("a key of a team's tenant", () => {
  beforeEach(() => {
    world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-1" }));
  });

  it("finds the key through LiteLLM, once", async () => {
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
    await world.untilQuiet();
    await find();
    expect(world.litellm.reads).toEqual([{ subject: { kind: "key", id: hashOf("a") }, at: world.clock() }]);
    expect(world.kv.owners.get(hashOf("a"))).toBe(ACME);
  });

  it("keeps the key in KV until its entry expires, even when it moves to another team", async () => {
    await find();
    await world.untilQuiet();
    expect(world.kv.expiring.has(hashOf("a"))).toBe(true);
    const other = idOf("globex");
    world.inPostgres(aTenantConfig({ tenantId: other, subject: { kind: "team", id: "team-2" } }));
    world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-2" }));
    await world.timers.pass(59 * 60 * SECOND);
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
    await world.timers.pass(60 * SECOND);
    world.kv.owners.delete(hashOf("a"));
    expect(await find()).toMatchObject({ kind: "tenant", tenantId: other });
  });

  it("keeps finding the key while LiteLLM is away, once it was found", async () => {
    await find();
    await world.untilQuiet();
    await world.timers.pass(61 * SECOND);
    world.litellm.nextTries.push(AWAY);
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
  });

  it("asks LiteLLM once a minute while the key is in no tenant's team", async () => {
    world.litellm.has(aLiteLlmRow({ teamId: null }));
    for (let second = 0; second < 60; second++) {
      await find();
      await world.timers.pass(SECOND);
    }
    expect(world.litellm.reads).toHaveLength(1);
    world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-1" }));
    world.kv.owners.clear();
    expect(await find()).toMatchObject({ kind: "tenant", tenantId: ACME });
  });

  it.each([
    ["LiteLLM does not have it", () => world.litellm.rows.clear()],
    ["it is in no team", () => world.litellm.has(aLiteLlmRow({ teamId: null }))],
    ["its team is not a tenant", () => world.litellm.has(aLiteLlmRow({ teamId: "team-2" }))],
  ])("calls the key unknown when %s", async (_, arrange) => {
    arrange();
    expect(await find()).toEqual({ kind: "unknown" });
    expect(world.memory.tenantOf(hashOf("a"), world.clock())).toBeNull();
  });

  it("calls the key unreachable, not unknown, when LiteLLM cannot be asked", async () => {
    world.litellm.nextTries.push(AWAY);
    expect(await find()).toEqual({ kind: "unreachable" });
    expect(world.memory.tenantOf(hashOf("a"), world.clock())).toBeUndefined();
  });

  it("calls the key unreachable, not unknown, when Postgres goes away in between", async () => {
    world.tenants.trouble("findBySubject", new Error("down"));
    expect(await find()).toEqual({ kind: "unreachable" });
    expect(world.log.lines).toContain("error postgres look-up failed {} Error: down");
  });

  it("remembers the key of a team although every step was too slow for the first check", async () => {
    world.tenants.trouble("findByKey", 60);
    world.tenants.trouble("findBySubject", 60);
    world.litellm.tryMs = 40;
    expect(await find("a", 100)).toEqual({ kind: "slow" });
    await world.untilQuiet();
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
    expect(world.kv.owners.get(hashOf("a"))).toBe(ACME);
  });
});

describe("a key without a tenant", () => {
  it("remembers a key that LiteLLM has and no tenant, in memory and in KV", async () => {
    world.litellm.has(aLiteLlmRow());
    expect(await find()).toEqual({ kind: "unknown" });
    await world.untilQuiet();
    expect(world.kv.owners.get(hashOf("a"))).toBe(UNMANAGED);
    world.memory.forgetTenantOf(hashOf("a"));
    expect(await find()).toEqual({ kind: "unknown" });
    expect([world.tenants.calls("findByKey"), world.litellm.reads.length]).toEqual([1, 1]);
  });

  it("remembers a key that LiteLLM does not have for a minute, in this isolate only", async () => {
    await find();
    await world.timers.pass(59_999);
    await find();
    await world.untilQuiet();
    expect([world.tenants.calls("findByKey"), world.kv.owners.size]).toEqual([1, 0]);
    await world.timers.pass(1);
    world.hasTenant();
    expect((await find()).kind).toBe("tenant");
  });

  it("remembers an unmanaged key whose look-up was too slow for the first check", async () => {
    world.litellm.has(aLiteLlmRow());
    world.tenants.trouble("findByKey", 150);
    expect(await find("a", 100)).toEqual({ kind: "slow" });
    await world.untilQuiet();
    expect(await find("a", 100)).toEqual({ kind: "unknown" });
  });
});

describe("the ceiling on look-ups", () => {
  it("lets a network of guessers look up 30 keys at once, and one a second after that", async () => {
    await guess(1_000);
    expect(world.tenants.calls("findByKey")).toBe(30);
    await world.timers.pass(5 * SECOND);
    await guess(1_000);
    expect(world.tenants.calls("findByKey")).toBe(35);
  });

  it("looks no key of a neighbour network up less often", async () => {
    await guess(1_000);
    world.inPostgres(aTenantConfig());
    const search = { ...PATIENT, keyHash: hashOf("a"), network: "198.51.100.1", now: world.clock() };
    expect(await findByKey(search, world.deps())).toMatchObject({ kind: "tenant" });
  });

  it("finds a neighbour's key when it is asked again, whatever the network guesses meanwhile", async () => {
    world.inPostgres(aTenantConfig());
    await guess(1_000);
    expect(await find()).toEqual({ kind: "too_many_unknown" });
    await world.timers.pass(SECOND);
    // Each guess is repeated at once, and is refused again.
    for (let index = 0; index < 100; index++) {
      await find(`repeated ${index}`);
      await find(`repeated ${index}`);
    }
    expect(await find()).toEqual({ kind: "tenant", tenantId: ACME });
  });

  it("counts no key that LiteLLM has, so that no network of real keys meets it", async () => {
    for (let index = 0; index < 100; index++) {
      world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf(`real ${index}`) } }));
      expect(await find(`real ${index}`)).toEqual({ kind: "unknown" });
    }
    world.inPostgres(aTenantConfig());
    expect(await find()).toMatchObject({ kind: "tenant" });
  });

  it.each(["Postgres", "LiteLLM"])(
    "counts no look-up that failed, so that an outage of %s is never a 429",
    async (store) => {
      if (store === "Postgres") world.tenants.trouble("findByKey", new Error("down"));
      else world.litellm.nextTries.push(...Array.from({ length: 100 }, () => AWAY));
      for (let index = 0; index < 100; index++) expect(await find(`key ${index}`)).toEqual({ kind: "unreachable" });
    },
  );

  it("limits an isolate to 300 look-ups at once, over all networks", async () => {
    for (let index = 0; index < 1_000; index++) {
      const search = { ...PATIENT, keyHash: hashOf(`key ${index}`), network: `net ${index}` };
      await findByKey({ ...search, now: world.clock() }, world.deps());
    }
    expect(world.tenants.calls("findByKey")).toBe(300);
  });
});

it.each(["hangs", new Error("down")] as const)(
  "never calls a key unknown while KV and Postgres are both away (%s)",
  async (how) => {
    world.hasTenant();
    world.snapshots.trouble("ownerOf", how);
    world.tenants.trouble("findByKey", how);
    expect((await find("a", 100)).kind).toBe(how === "hangs" ? "slow" : "unreachable");
    expect(world.memory.tenantOf(hashOf("a"), world.clock())).toBeUndefined();
    expect(world.memory.hasStoreFailed(world.clock())).toBe(how !== "hangs");
  },
);
