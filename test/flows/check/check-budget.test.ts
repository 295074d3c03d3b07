// The check while everything works: what answers from the cache, what is read first, and what is remembered.

import { beforeEach, describe, expect, it } from "vitest";
import { aSpendRecord, DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { aTenant, hashOf, idOf } from "../../support/builders/builders.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, byId, byKey, CheckWorld, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const agedBy = (ms: number) => ({ observedAt: NOW - ms, readAt: NOW - ms });
const spent = (dollars: string) => world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd(dollars) }));

describe("fresh spend", () => {
  it("answers from KV at once, by key or by id, without any other call", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("412.5"), ...agedBy(3 * SECOND) });
    for (const caller of [byKey, byId]) {
      const answered = await world.check({ caller });
      expect(answered.tookMs).toBe(0);
      expect(verdictOf(answered)).toMatchObject({
        tenantId: "acme",
        allowed: true,
        state: "warning",
        reason: "over_threshold",
        source: "cache",
        degraded: false,
        spend: { spendNanoUsd: usd("412.5"), used: 8_250n, ageSeconds: 3 },
      });
    }
    await world.untilQuiet();
    expect([world.litellm.reads, world.queue.sent, world.log.lines]).toEqual([[], [], []]);
    expect([world.tenants.calls("load"), world.tenants.calls("findByKey")]).toEqual([0, 0]);
  });

  it("lets the caller cache the verdict while the spend is fresh", async () => {
    world.hasTenant({}, agedBy(3 * SECOND));
    expect((await world.check()).outcome).toMatchObject({ keepForMs: 57 * SECOND });
  });

  it("reads KV again only after two seconds", async () => {
    world.hasTenant();
    await world.check();
    await world.timers.pass(1_999);
    await world.check();
    expect(world.snapshots.calls("tenant")).toBe(1);
    await world.timers.pass(1);
    await world.check();
    expect(world.snapshots.calls("tenant")).toBe(2);
  });

  it("blocks at exactly 110.00 percent, and not a nano-dollar below", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("549.999999999") });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "grace" });
    world = new CheckWorld();
    world.hasTenant({}, { spendNanoUsd: usd("550") });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, state: "blocked", reason: "over_grace" });
  });
});

describe("stale spend", () => {
  it("answers from the cache at once, reads in the background, and remembers the result", async () => {
    world.hasTenant({}, agedBy(61 * SECOND));
    spent("450");
    world.litellm.tryMs = 700;
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([0, "cache"]);
    expect(verdictOf(answered).spend?.spendNanoUsd).toBe(usd("100"));
    await world.untilQuiet();
    const next = await world.check();
    expect(verdictOf(next)).toMatchObject({ state: "warning", source: "cache", degraded: false });
    expect(verdictOf(next).spend?.spendNanoUsd).toBe(usd("450"));
    expect(world.kv.spends.get(ACME)?.spendNanoUsd).toBe(usd("450"));
    expect(world.litellm.reads).toHaveLength(1);
  });

  it("retries and logs a failed background read without throwing", async () => {
    world.hasTenant({}, agedBy(61 * SECOND));
    world.litellm.nextTries.push(...Array(3).fill({ kind: "unreachable", why: "status 502" }));
    expect((await world.check()).tookMs).toBe(0);
    await world.untilQuiet();
    expect(world.litellm.reads.map(({ at }) => at - NOW)).toEqual([0, 200, 600]);
    expect(world.log.lines).toEqual(['warn litellm read failed {"tenant_id":"acme","why":"status 502"}']);
  });

  it("answers from spend of exactly ten minutes, and reads first a millisecond later", async () => {
    world.hasTenant({}, agedBy(10 * MINUTE));
    expect(verdictOf(await world.check()).source).toBe("cache");
    world = new CheckWorld();
    world.hasTenant({}, agedBy(10 * MINUTE + 1));
    spent("500");
    world.litellm.tryMs = 30;
    const answered = await world.check();
    expect(answered.tookMs).toBe(30);
    expect(verdictOf(answered)).toMatchObject({ state: "grace", source: "litellm", degraded: false });
  });

  it("reads first when the spend rate could reach the block threshold before the next read", async () => {
    const spending = { spendRateNanoUsdPerSecond: usd("10"), ...agedBy(5 * SECOND) };
    world.hasTenant({}, { spendNanoUsd: usd("500.000000001"), ...spending });
    spent("550");
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, source: "litellm" });
    world = new CheckWorld();
    world.hasTenant({}, { spendNanoUsd: usd("499.999999999"), ...spending });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, source: "cache" });
  });

  it("reads first when the config knows a later period than the spend's", async () => {
    world.hasTenant({ litellmKeyLastReset: NOW - DAY }, { spendNanoUsd: usd("550"), periodStartedAt: NOW - 10 * DAY });
    spent("1");
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "ok", source: "litellm" });
  });
});

describe("unknown spend", () => {
  it("reads first, and publishes to KV and Postgres", async () => {
    world.hasTenant({}, null);
    spent("450");
    expect(verdictOf(await world.check())).toMatchObject({ state: "warning", source: "litellm", degraded: false });
    await world.untilQuiet();
    expect(world.kv.spends.get(ACME)?.spendNanoUsd).toBe(usd("450"));
    expect(world.queue.sent).toMatchObject([{ message: { kind: "read", tenant_id: "acme" }, delaySeconds: 0 }]);
  });

  it("finds a tenant that only Postgres has, answers from its spend, and writes it to KV", async () => {
    const config = world.hasTenant();
    world.kv.configs.clear();
    world.kv.spends.clear();
    world.kv.owners.clear();
    expect(verdictOf(await world.check())).toMatchObject({ tenantId: "acme", source: "cache", degraded: false });
    await world.untilQuiet();
    expect(world.kv.configs.get(ACME)).toEqual(config);
    expect(world.kv.owners.get(hashOf("a"))).toBe(ACME);
    expect(world.tenants.calls("load")).toBe(0);
  });
});

describe("the caller demands freshness", () => {
  it("reads first although the spend is fresh", async () => {
    world.hasTenant({}, agedBy(SECOND));
    spent("500");
    const answered = await world.check({ demandedMaxAgeMs: 0 });
    expect(verdictOf(answered)).toMatchObject({ state: "grace", source: "litellm" });
  });

  it("reads nothing when the spend is as young as demanded", async () => {
    world.hasTenant({}, agedBy(5 * SECOND));
    expect(verdictOf(await world.check({ demandedMaxAgeMs: 5_000 })).source).toBe("cache");
    expect(verdictOf(await world.check({ demandedMaxAgeMs: 4_999 })).source).toBe("litellm");
  });

  it("reads at most once a second, whatever the caller demands", async () => {
    world.hasTenant({}, agedBy(SECOND));
    for (let request = 0; request < 20; request++) {
      const answered = await world.check({ demandedMaxAgeMs: 0 });
      expect(verdictOf(answered).degraded).toBe(false);
      await world.timers.pass(100);
    }
    expect(world.litellm.reads.map(({ at }) => at - NOW)).toEqual([0, 1_000]);
  });
});

describe("the period has ended by the clock", () => {
  const past = { resetsAt: NOW - MINUTE, spendNanoUsd: usd("550") };

  it("reads first after the reset, and moves on when LiteLLM has reset", async () => {
    world.hasTenant({ budgetResetAt: NOW - MINUTE }, { ...past, ...agedBy(2 * MINUTE) });
    spent("0");
    const { allowed, budget, source } = verdictOf(await world.check());
    expect([allowed, source]).toEqual([true, "litellm"]);
    expect([budget?.periodStartedAt, budget?.resetsAt]).toEqual([NOW - MINUTE, RESET]);
  });

  it("keeps the state until LiteLLM shows its reset, and reads every 15 s until it does", async () => {
    world.hasTenant({ budgetResetAt: NOW - MINUTE }, { ...past, ...agedBy(2 * MINUTE) });
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("550"), resetsAt: NOW - MINUTE }));
    for (let second = 0; second < 60; second++) {
      expect(verdictOf(await world.check())).toMatchObject({ allowed: false, reason: "over_grace" });
      await world.timers.pass(SECOND);
    }
    expect(world.litellm.reads.map(({ at }) => (at - NOW) / SECOND)).toEqual([0, 15, 30, 45]);
    spent("0");
    await world.check();
    await world.untilQuiet();
    expect(verdictOf(await world.check()).allowed).toBe(true);
  });
});

describe("a missing tenant", () => {
  it("calls an id unknown that Postgres does not have", async () => {
    expect((await world.check({ caller: { kind: "tenant", tenantId: idOf("nobody") } })).outcome.kind).toBe("unknown");
  });

  it("calls a tenant unknown once its tombstone is in KV, also by its key", async () => {
    world.hasTenant();
    await world.check();
    world.kv.configs.set(ACME, { deletedRevision: 9, deletedAt: 0, revision: 9 });
    world.postgres.rows.clear();
    await world.timers.pass(2 * SECOND);
    expect((await world.check()).outcome).toEqual({ kind: "unknown" });
    expect(world.memory.tenant(ACME)).toBeNull();
  });

  it("assigns a key to its present tenant, whatever the edge still caches", async () => {
    world.hasTenant();
    await world.check();
    const successor = idOf("successor");
    world.kv.configs.set(ACME, { deletedRevision: 9, deletedAt: 0, revision: 9 });
    const row = world.postgres.rows.get(ACME);
    if (row === undefined) throw new Error("no row");
    world.postgres.rows.clear();
    world.postgres.rows.set(successor, { ...row, config: { ...row.config, tenantId: successor } });
    world.postgres.keys.set(hashOf("a"), successor);
    await world.timers.pass(2 * SECOND);
    expect((await world.check()).outcome).toMatchObject({ kind: "verdict", verdict: { tenantId: "successor" } });
  });

  it("calls a tenant unknown when the read finds it deleted in Postgres, and writes its tombstone again", async () => {
    world.hasTenant({ revision: 4 }, agedBy(11 * MINUTE));
    world.postgres.rows.clear();
    expect((await world.check()).outcome).toEqual({ kind: "unknown" });
    await world.untilQuiet();
    expect(world.kv.configs.get(ACME)).toMatchObject({ deletedRevision: 4 });
    expect((await world.check({ caller: byId })).outcome).toEqual({ kind: "unknown" });
  });

  it("rejects a network with too many unknown keys", async () => {
    await world.guessKeys();
    expect((await world.check()).outcome).toEqual({ kind: "too_many_unknown" });
  });
});

it("answers with the config that the read brought, not with the one that asked for it", async () => {
  const known = world.hasTenant({ revision: 1 }, { spendNanoUsd: usd("550"), ...agedBy(11 * MINUTE) });
  world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("550") }));
  world.postgres.has(aTenant({ config: { ...known, revision: 2, maxBudgetNanoUsd: usd("1000") } }));
  expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "ok" });
  await world.untilQuiet();
  expect(world.kv.configs.get(ACME)).toMatchObject({ revision: 2, maxBudgetNanoUsd: usd("1000") });
});

it("allows an observed tenant over its block threshold, and shows what enforce would have done", async () => {
  world.hasTenant({ enforcement: "observe" }, { spendNanoUsd: usd("700") });
  expect(verdictOf(await world.check())).toMatchObject({ allowed: true, wouldBlock: true, state: "blocked" });
});

it("leaves no timer running after an answer", async () => {
  world.hasTenant();
  await world.check();
  expect(world.timers.running).toBe(0);
});

it("keeps what the isolate has received during a slow read", async () => {
  const old = world.hasTenant({ revision: 1 }, agedBy(61 * SECOND));
  world.litellm.tryMs = 700;
  await world.check();
  await world.timers.pass(100);
  const raised = { ...old, revision: 2, maxBudgetNanoUsd: usd("50") };
  const higher = aSpendRecord({ spendNanoUsd: usd("120"), observedAt: NOW + 100, readAt: NOW + 100 });
  world.memory.rememberTenant(ACME, { config: raised, spend: higher }, world.clock());
  await world.untilQuiet();
  expect(world.memory.tenant(ACME)).toMatchObject({ config: { revision: 2 }, spend: { spendNanoUsd: usd("120") } });
});
