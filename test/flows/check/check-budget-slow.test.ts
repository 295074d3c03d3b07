// The check while several stores in a row are slow but within their timeouts: still within 110 ms.

import { beforeEach, describe, expect, it } from "vitest";
import { aTenantConfig, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, byId, byKey, CheckWorld, POLICY, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

describe("several slow stores", () => {
  const teamTenant = () => world.hasTenant({ subject: { kind: "team", id: "team-1" } }, { spendNanoUsd: usd("100") });

  it("answers within 110 ms when KV finds the key but no store finds its tenant in time", async () => {
    world.hasTenant();
    world.snapshots.trouble("ownerOf", 39);
    world.snapshots.trouble("tenant", "hangs");
    world.snapshots.trouble("outageNote", "hangs");
    world.tenants.trouble("load", "hangs");
    world.reads.trouble("readSubject", "hangs");
    expect((await world.check()).tookMs).toBeLessThanOrEqual(110);
  });

  it("answers from the memory, whatever its age, when the stores are slow", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("550") });
    await world.check();
    await world.timers.pass(MINUTE);
    world.snapshots.trouble("ownerOf", 39);
    world.snapshots.trouble("tenant", "hangs");
    world.tenants.trouble("load", "hangs");
    const answered = await world.check();
    expect(answered.tookMs).toBe(100);
    expect(verdictOf(answered)).toMatchObject({ allowed: false, reason: "over_grace", source: "cache" });
  });

  it("answers within 110 ms while it asks LiteLLM for the key's team", async () => {
    teamTenant();
    world.reads.trouble("readSubject", "hangs");
    world.snapshots.trouble("outageNote", "hangs");
    const answered = await world.check({ caller: { ...byKey, keyHash: hashOf("b") } });
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(answered.outcome).toMatchObject({ kind: "undecided", verdict: { allowed: true, source: "fail_open" } });
  });

  it("answers within 110 ms while it asks Postgres for that team", async () => {
    teamTenant();
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-1" }));
    world.tenants.trouble("findBySubject", "hangs");
    const answered = await world.check({ caller: { ...byKey, keyHash: hashOf("b") } });
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(verdictOf(answered)).toMatchObject({ tenantId: ACME, source: "litellm", degraded: true });
  });
});

describe("stores that are far away and healthy", () => {
  const far = () => {
    world.tenants.trouble("findByKey", 60);
    world.tenants.trouble("findBySubject", 60);
    world.tenants.trouble("load", 60);
    world.reads.trouble("readSubject", 40);
  };
  const OTHER = hashOf("b");
  const ask = () => world.check({ caller: { ...byKey, keyHash: OTHER } });

  it.each(["open", "closed"] as const)(
    "refuse an unseen key of a team over budget from the second call on (%s)",
    async (defaultFailPolicy) => {
      world.policy = { ...POLICY, defaultFailPolicy };
      world.hasTenant({ subject: { kind: "team", id: "team-1" } }, { spendNanoUsd: usd("600") });
      world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: OTHER }, metadata: {}, teamId: "team-1" }));
      far();
      expect((await ask()).outcome.kind).toBe("undecided");
      await world.untilQuiet();
      for (let call = 2; call <= 8; call++) {
        expect(verdictOf(await ask())).toMatchObject({ allowed: false, reason: "over_grace", degraded: false });
      }
      world.forgetAll();
      world.memory.forgetTenantOf(OTHER);
      expect(verdictOf(await ask())).toMatchObject({ allowed: false, degraded: false });
      expect(world.tenants.calls("findByKey")).toBe(1);
    },
  );

  it("call an unmanaged key unknown from the second call on, without another query or read", async () => {
    world.policy = { ...POLICY, defaultFailPolicy: "closed" };
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: OTHER }, metadata: {} }));
    far();
    await ask();
    await world.untilQuiet();
    const readsBefore = world.litellm.reads.length;
    for (let call = 2; call <= 8; call++) expect((await ask()).outcome).toEqual({ kind: "unknown" });
    expect([world.tenants.calls("findByKey"), world.litellm.reads.length]).toEqual([1, readsBefore]);
  });

  it("leave only the first answer undecided for a tenant that only Postgres knows", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("600") });
    world.kv.configs.clear();
    world.kv.owners.clear();
    far();
    world.tenants.trouble("findByKey", 150);
    expect((await world.check()).outcome.kind).toBe("undecided");
    await world.untilQuiet();
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, source: "cache", degraded: false });
  });

  it("leave only the first answer undecided for a tenant whose spend was never read", async () => {
    world.inPostgres(aTenantConfig(), null);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("600") }));
    far();
    world.claims.trouble("claimRead", 30);
    world.snapshots.trouble("ownerOf", 60);
    world.snapshots.trouble("tenant", 60);
    await world.check();
    await world.untilQuiet();
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).reason, verdictOf(answered).degraded]).toEqual([
      0,
      "over_grace",
      false,
    ]);
  });

  it("leave no answer undecided where KV knows the key late and Postgres hangs", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("600") });
    world.snapshots.trouble("ownerOf", 60);
    for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, "hangs");
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, reason: "over_grace" });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, source: "cache", degraded: false });
  });

  it("are asked once in a minute whether there is a tenant of an id", async () => {
    world.tenants.trouble("load", 120);
    expect((await world.check({ caller: byId })).outcome.kind).toBe("undecided");
    await world.timers.pass(SECOND);
    expect((await world.check({ caller: byId })).outcome).toEqual({ kind: "unknown" });
    expect(world.tenants.calls("load")).toBe(1);
    world.hasTenant();
    expect((await world.check({ caller: byId })).outcome.kind).toBe("verdict");
  });

  it("are asked once whether a tenant that was just deleted is back", async () => {
    world.kv.configs.set(ACME, { deletedRevision: 9, deletedAt: NOW, revision: 9 });
    world.tenants.trouble("load", 120);
    await world.check({ caller: byId });
    await world.timers.pass(SECOND);
    expect((await world.check({ caller: byId })).outcome).toEqual({ kind: "unknown" });
  });

  it("are asked about no more guesses than the ceiling permits, nor is LiteLLM", async () => {
    world.snapshots.trouble("ownerOf", 60);
    for (let index = 0; index < 100; index++) {
      await world.check({ caller: { ...byKey, keyHash: hashOf(`guess ${index}`) } });
    }
    await world.untilQuiet();
    expect(world.tenants.calls("findByKey")).toBeLessThanOrEqual(40);
    expect(world.litellm.reads.length).toBeLessThanOrEqual(2 * 40);
  });

  it("count as an outage for ten seconds after a look-up has failed", async () => {
    world.tenants.trouble("findByKey", new Error("down"));
    world.litellm.nextTries.push(AWAY);
    expect((await world.check()).outcome.kind).toBe("verdict");
    world.tenants.trouble("findByKey", "hangs");
    world.reads.trouble("readSubject", "hangs");
    expect((await world.check()).outcome.kind).toBe("verdict");
    await world.timers.pass(10 * SECOND);
    expect((await world.check()).outcome.kind).toBe("undecided");
  });
});
