// Many checks of one tenant at once: one reads, the others answer from the cache or wait for its result.

import { beforeEach, describe, expect, it } from "vitest";
import { type RefreshOutcome, startRefresh } from "../../../src/flows/check/refresh-tenant.ts";
import { aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, byKey, CheckWorld, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const TEN = Array.from({ length: 10 }, () => ({}));
const agedBy = (ms: number) => ({ observedAt: NOW - ms, readAt: NOW - ms });

it.each([
  ["nothing is known", null],
  ["what is known is too old", agedBy(11 * MINUTE)],
])("%s: waiting checks get the result of the one that reads", async (_, spend) => {
  world.hasTenant({}, spend);
  world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("500") }));
  world.litellm.tryMs = 42;
  const [winner, ...losers] = await world.together(TEN);
  expect(winner && [winner.tookMs, verdictOf(winner).source]).toEqual([42, "litellm"]);
  for (const loser of losers) {
    expect(verdictOf(loser)).toMatchObject({ state: "grace", source: "cache", degraded: false });
    expect(loser.tookMs).toBeLessThanOrEqual(42 + 5);
  }
  expect(world.litellm.reads).toHaveLength(1);
});

it("answers all waiting checks at the deadline when the reading one is too slow", async () => {
  world.hasTenant({ failPolicy: "closed" }, null);
  world.litellm.tryMs = 500;
  for (const answered of await world.together(TEN)) {
    expect(answered.tookMs).toBeGreaterThanOrEqual(100);
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(verdictOf(answered)).toMatchObject({ allowed: false, source: "fail_closed" });
  }
  expect(world.litellm.reads).toHaveLength(1);
});

it("releases the waiting checks at once when the first try fails", async () => {
  world.hasTenant({}, agedBy(11 * MINUTE));
  world.litellm.tryMs = 20;
  world.litellm.nextTries.push(AWAY, AWAY, AWAY);
  for (const answered of await world.together(TEN)) {
    expect(answered.tookMs).toBeLessThanOrEqual(25);
    expect(verdictOf(answered).source).toBe("last_known");
  }
});

it("waits for no read for five seconds after a failed one, then one check tries again", async () => {
  world.hasTenant({}, agedBy(11 * MINUTE));
  world.litellm.nextTries.push(AWAY, AWAY, AWAY);
  await world.check();
  await world.untilQuiet();
  world.litellm.tryMs = 50;
  for (const afterMs of [1_000, 4_999]) {
    await world.timers.pass(NOW + afterMs - world.clock());
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([0, "last_known"]);
  }
  await world.timers.pass(NOW + 5 * SECOND - world.clock());
  const answered = await world.check();
  expect([answered.tookMs, verdictOf(answered).source]).toEqual([50, "litellm"]);
});

it("answers from servable spend at once while another check reads", async () => {
  world.hasTenant({}, agedBy(30 * SECOND));
  world.memory.rememberTenantOf(hashOf("a"), ACME, NOW);
  world.litellm.tryMs = 50;
  const [winner, loser] = await world.together([{ demandedMaxAgeMs: 0 }, { demandedMaxAgeMs: 0 }]);
  expect(winner && [winner.tookMs, verdictOf(winner).source]).toEqual([50, "litellm"]);
  expect(loser && [loser.tookMs, verdictOf(loser).source]).toEqual([0, "cache"]);
});

it("answers from the cache without a read while another isolate of the colo reads", async () => {
  world.hasTenant({}, agedBy(61 * SECOND));
  await world.redis.claimRead({ tenantId: ACME, colo: "FRA", seconds: 5 });
  const answered = await world.check({ colo: "FRA" });
  await world.untilQuiet();
  expect([verdictOf(answered).source, world.litellm.reads]).toEqual(["cache", []]);
});

it("reads by itself in another colo", async () => {
  world.hasTenant({}, agedBy(61 * SECOND));
  await world.redis.claimRead({ tenantId: ACME, colo: "FRA", seconds: 5 });
  await world.check({ colo: "NRT" });
  await world.untilQuiet();
  expect(world.litellm.reads).toHaveLength(1);
});

describe("isolates of one colo, at the same moment", () => {
  it.each([
    ["open", null],
    ["closed", null],
    ["open", agedBy(11 * MINUTE)],
    ["closed", agedBy(11 * MINUTE)],
  ] as const)("each read for themselves while nothing servable is known (%s, %j)", async (failPolicy, spend) => {
    world.hasTenant({ failPolicy }, spend);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("600") }));
    world.litellm.tryMs = 20;
    const answered = await world.inIsolates(5);
    expect(answered.map((each) => [verdictOf(each).reason, verdictOf(each).degraded, each.tookMs])).toEqual(
      Array.from({ length: 5 }, () => ["over_grace", false, 20]),
    );
  });

  it("share one read while what is known serves", async () => {
    world.hasTenant({}, agedBy(61 * SECOND));
    expect((await world.inIsolates(5)).map((each) => verdictOf(each).source)).toEqual(Array(5).fill("cache"));
    await world.untilQuiet();
    expect(world.litellm.reads).toHaveLength(1);
  });
});

describe("a read that another isolate of the colo has left", () => {
  beforeEach(async () => {
    world.hasTenant({}, agedBy(11 * MINUTE));
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("600") }));
    await world.inIsolates(1);
    await world.timers.pass(SECOND);
  });

  it("answers at once, without a read of LiteLLM and whatever KV has", async () => {
    world.kv.spends.clear();
    const [answered] = await world.inIsolates(1);
    expect(answered && verdictOf(answered)).toMatchObject({ allowed: false, source: "cache", degraded: false });
    expect(world.litellm.reads).toHaveLength(1);
  });

  it("leaves the isolate free to read as soon as what it took is too old near the block threshold", async () => {
    const rate = { spendRateNanoUsdPerSecond: usd("10") };
    world.hasTenant({ failPolicy: "closed" }, { spendNanoUsd: usd("520"), ...rate, ...agedBy(6 * SECOND) });
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("520") }));
    world.memory.forgetTenant(ACME);
    // KV's copy stays as old as it is.
    world.snapshots.trouble("writeSpend", new Error("429"));
    await world.timers.pass(5 * SECOND);
    await world.inIsolates(1);
    await world.timers.pass(4_500);
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, degraded: false });
    await world.timers.pass(600);
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).allowed, verdictOf(answered).degraded]).toEqual([0, true, false]);
  });

  it("decides nothing when it is of the period before", async () => {
    const config = world.hasTenant({ litellmKeyLastReset: NOW, revision: 2 }, null);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: 0n }));
    const ended = { periodStartedAt: NOW - 10 * DAY, spendNanoUsd: usd("600") };
    const claim = { tenantId: ACME, colo: "FRA", seconds: 5 };
    await world.timers.pass(5 * SECOND);
    await world.redis.claimRead(claim);
    await world.redis.shareRead(claim, { subjectId: config.subject.id, spend: aSpendRecord(ended) }, 5_000);
    const [answered] = await world.inIsolates(1);
    expect(answered && verdictOf(answered)).toMatchObject({ allowed: true, spend: { spendNanoUsd: 0n } });
  });

  it("counts for no tenant that has another key by now", async () => {
    const subject = { kind: "key", id: hashOf("b") } as const;
    world.hasTenant({ subject, revision: 2 }, null);
    const caller = { ...byKey, keyHash: hashOf("b") };
    world.kv.spends.clear();
    const [answered] = await world.inIsolates(1, { caller });
    expect(answered && verdictOf(answered)).toMatchObject({ state: "ok", degraded: false });
  });
});

it("calls the tenant unknown when the reading check finds it deleted, and waiting checks on their next try", async () => {
  world.hasTenant({}, null);
  world.postgres.rows.clear();
  world.litellm.tryMs = 20;
  const [winner, loser] = await world.together([{}, {}]);
  expect(winner?.outcome).toEqual({ kind: "unknown" });
  expect(loser && verdictOf(loser).degraded).toBe(true);
  await world.untilQuiet();
  expect((await world.check()).outcome).toEqual({ kind: "unknown" });
});

describe("a refresh", () => {
  const config = aTenantConfig();
  const spend = aSpendRecord({ observedAt: NOW - MINUTE, readAt: NOW - MINUTE });

  async function refresh(): Promise<RefreshOutcome> {
    const input = { config, spend, colo: "FRA", now: world.clock(), exclusiveSeconds: 5, isNeeded: false };
    const outcome = await world.timers.runUntil(startRefresh(input, world.deps()));
    await world.untilQuiet();
    return outcome;
  }

  it("does not call a tenant missing whose key was replaced when LiteLLM lacks the old one", async () => {
    const subject = { kind: "key", id: hashOf("new") } as const;
    world.inPostgres(aTenantConfig({ subject, revision: config.revision + 1 }), { spendNanoUsd: usd("7") });
    expect(await refresh()).toMatchObject({ known: { config: { subject, subjectMissingAt: null } } });
    expect(world.memory.tenant(config.tenantId)?.config?.subjectMissingAt ?? null).toBeNull();
  });

  it("reads once in its five seconds without Redis", async () => {
    world.hasTenant();
    world.claims.trouble("claimRead", new Error("down"));
    expect((await refresh()).kind).toBe("read");
    await world.timers.pass(2 * SECOND);
    expect((await refresh()).kind).toBe("held");
    await world.timers.pass(3 * SECOND);
    expect((await refresh()).kind).toBe("read");
  });

  it("leaves nothing for other isolates when the read has outlasted its claim", async () => {
    world.hasTenant();
    world.litellm.tryMs = 5 * SECOND;
    expect((await refresh()).kind).toBe("read");
    expect(world.claims.calls("shareRead")).toBe(0);
    world.litellm.tryMs = 0;
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("12") }));
    await refresh();
    expect(world.claims.calls("shareRead")).toBe(1);
  });
});
