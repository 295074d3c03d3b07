// The check while something is broken: never later than 110 ms, known before guessed, and never silently.

import { beforeEach, describe, expect, it } from "vitest";
import type { FailPolicy } from "../../../src/budget/tenant.ts";
import { DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders.ts";
import { ACME, byId, byKey, CheckWorld, POLICY, verdictOf } from "../../support/check-world.ts";
import { AWAY, aLiteLlmRow } from "../../support/fake-litellm.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const OLD = { observedAt: NOW - 11 * MINUTE, readAt: NOW - 11 * MINUTE };
const WARNED = { spendNanoUsd: usd("450"), ...OLD };
const OVER = { spendNanoUsd: usd("550"), ...OLD };
const degradedLines = () => world.log.lines.filter((line) => line.startsWith("warn degraded answer"));

describe("LiteLLM hangs", () => {
  beforeEach(() => world.reads.trouble("readSubject", "hangs"));

  it("X6: answers at exactly the deadline, allowed by what is known, and says so in the log", async () => {
    world.hasTenant({}, WARNED);
    const answered = await world.check();
    expect(answered.tookMs).toBe(100);
    expect(verdictOf(answered)).toMatchObject({
      allowed: true,
      state: "warning",
      source: "last_known",
      degraded: true,
    });
    expect(answered.outcome).toMatchObject({ keepForMs: 0 });
    expect(degradedLines()).toEqual([
      'warn degraded answer {"tenant_id":"acme","allowed":true,"state":"warning","source":"last_known","why":"too slow"}',
    ]);
  });

  it("and the outage note hangs too: still within 110 ms", async () => {
    world.hasTenant({}, WARNED);
    world.snapshots.trouble("outageStartedAt", "hangs");
    expect((await world.check()).tookMs).toBe(108);
    expect(world.log.lines).toContain('warn kv read of the outage note slow {"waited_ms":8}');
  });

  it("keeps to another deadline when the deployment sets one", async () => {
    world.policy = { ...POLICY, checkDeadlineMs: 300 };
    world.hasTenant({}, WARNED);
    expect((await world.check()).tookMs).toBe(300);
  });

  it("a read that comes after the deadline is there for the next check", async () => {
    world.reads.trouble("readSubject", null);
    world.hasTenant({}, WARNED);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("500") }));
    world.litellm.tryMs = 101;
    expect(verdictOf(await world.check()).source).toBe("last_known");
    await world.untilQuiet();
    expect(verdictOf(await world.check())).toMatchObject({ state: "grace", source: "cache", degraded: false });
  });
});

describe("LiteLLM answers 500", () => {
  beforeEach(() => void world.litellm.nextTries.push(AWAY, AWAY, AWAY));

  const cases: [string, FailPolicy, object | null, object][] = [
    ["open", "open", WARNED, { allowed: true, state: "warning", source: "last_known" }],
    ["open and blocked", "open", OVER, { allowed: false, state: "blocked", source: "last_known" }],
    ["open, nothing known", "open", null, { allowed: true, state: "unknown", source: "fail_open" }],
    ["closed", "closed", WARNED, { allowed: false, reason: "spend_unknown", source: "fail_closed" }],
    ["closed and blocked", "closed", OVER, { allowed: false, reason: "over_grace", source: "last_known" }],
    ["closed, nothing known", "closed", null, { allowed: false, state: "unknown", source: "fail_closed" }],
  ];
  it.each(cases)("%s: answers at once, after one try", async (_, failPolicy, spend, expected) => {
    world.hasTenant({ failPolicy }, spend);
    const answered = await world.check();
    expect(answered.tookMs).toBe(0);
    expect(verdictOf(answered)).toMatchObject({ ...expected, degraded: true });
    expect(degradedLines()).toHaveLength(1);
  });

  it("takes the deployment's policy for a tenant without one", async () => {
    world.policy = { ...POLICY, defaultFailPolicy: "closed" };
    world.hasTenant({}, WARNED);
    expect(verdictOf(await world.check()).source).toBe("fail_closed");
  });

  it("blocked ends with the period even when LiteLLM cannot show the next one", async () => {
    world.hasTenant({}, { ...OVER, resetsAt: NOW - SECOND });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, source: "fail_open" });
  });

  it("tries twice more behind the answer, and remembers what they bring", async () => {
    world.litellm.nextTries.pop();
    world.hasTenant({}, WARNED);
    await world.check();
    await world.untilQuiet();
    expect(world.litellm.reads.map(({ at }) => at - NOW)).toEqual([0, 200, 600]);
    expect(verdictOf(await world.check())).toMatchObject({ source: "cache", degraded: false });
  });

  it("answers with the config that Postgres told meanwhile", async () => {
    const config = world.hasTenant({ revision: 1 }, { spendNanoUsd: usd("560"), ...OLD });
    world.inPostgres({ ...config, revision: 2, maxBudgetNanoUsd: usd("1000") }, OLD);
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "ok", source: "last_known" });
  });
});

it("a key that LiteLLM no longer has is a failure to read, not a refusal", async () => {
  world.hasTenant({}, WARNED);
  world.litellm.rows.clear();
  expect(verdictOf(await world.check())).toMatchObject({ allowed: true, source: "last_known" });
  await world.untilQuiet();
  expect(world.log.lines).toContain('warn litellm read failed {"tenant_id":"acme","why":"not_found"}');
});

describe("an open policy is bounded", () => {
  beforeEach(() => {
    world.hasTenant({ failPolicy: "open" }, WARNED);
    world.reads.trouble("readSubject", "hangs");
  });

  it.each([
    [60 * MINUTE - 1, true],
    [60 * MINUTE, false],
  ])("an outage of %i ms: allowed is %s", async (outMs, isAllowed) => {
    world.kv.outage = NOW - outMs;
    expect(verdictOf(await world.check()).allowed).toBe(isAllowed);
  });

  it("never turns closed when the bound is 0", async () => {
    world.policy = { ...POLICY, failOpenMinutes: 0 };
    world.kv.outage = NOW - DAY;
    expect(verdictOf(await world.check()).allowed).toBe(true);
  });

  it("a note that came too late for one answer counts for the next: a slow KV keeps nothing open", async () => {
    world.kv.outage = NOW - DAY;
    world.snapshots.trouble("outageStartedAt", 2 * SECOND);
    expect(verdictOf(await world.check()).allowed).toBe(true);
    await world.timers.pass(5 * SECOND);
    expect(verdictOf(await world.check()).allowed).toBe(false);
  });

  it("a note that takes as long as the read is in time: it is looked for from the start", async () => {
    world.kv.outage = NOW - DAY;
    world.snapshots.trouble("outageStartedAt", 90);
    expect(verdictOf(await world.check()).allowed).toBe(false);
  });

  it("stays open, and says so, when the note cannot be read", async () => {
    world.kv.outage = NOW - DAY;
    world.snapshots.trouble("outageStartedAt", new Error("down"));
    expect(verdictOf(await world.check()).allowed).toBe(true);
    expect(world.log.lines).toContain("error kv read of the outage note failed {} Error: down");
  });
});

describe("Redis", () => {
  beforeEach(() => void world.hasTenant({}, WARNED));

  it("hangs: the read goes on after the patience for a claim", async () => {
    world.claims.trouble("claimRefresh", "hangs");
    world.litellm.tryMs = 30;
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([50, "litellm"]);
    expect(world.log.lines).toEqual(['warn claim of a refresh slow {"waited_ms":20}']);
  });

  it("fails: the read goes on at once", async () => {
    world.claims.trouble("claimRefresh", new Error("down"));
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([0, "litellm"]);
  });

  it("without it one isolate still reads once in five seconds", async () => {
    world.claims.trouble("claimRefresh", new Error("down"));
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("1") }));
    for (let second = 0; second < 5; second++) {
      await world.check({ demandedMaxAgeMs: null });
      await world.timers.pass(999);
    }
    expect(world.litellm.reads).toHaveLength(1);
  });
});

describe("KV and Postgres", () => {
  it("KV hangs: Postgres answers after the patience for a store", async () => {
    world.hasTenant();
    world.snapshots.trouble("tenantOfKey", "hangs");
    world.snapshots.trouble("tenant", "hangs");
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([40, "cache"]);
  });

  it("KV fails: Postgres answers at once, and the log says what failed", async () => {
    world.hasTenant();
    world.snapshots.trouble("tenantOfKey", new Error("down"));
    expect((await world.check()).tookMs).toBe(0);
    expect(world.log.lines).toContain("error kv read of a key failed {} Error: down");
  });

  it.each(["hangs", new Error("down")] as const)(
    "both are away (%s): LiteLLM alone answers, and says so",
    async (how) => {
      world.hasTenant({}, { spendNanoUsd: usd("550") });
      for (const verb of ["tenantOfKey", "tenant"] as const) world.snapshots.trouble(verb, how);
      for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, how);
      world.litellm.tryMs = 15;
      const answered = await world.check();
      expect(answered.tookMs).toBe(how === "hangs" ? 95 : 15);
      expect(verdictOf(answered)).toMatchObject({
        tenantId: "acme",
        allowed: false,
        reason: "over_grace",
        source: "litellm",
        degraded: true,
      });
    },
  );

  it("both are away and LiteLLM does not know the key: unknown", async () => {
    world.tenants.trouble("findByKey", new Error("down"));
    expect((await world.check()).outcome).toEqual({ kind: "unknown" });
  });

  it("both are away after the key was found: the memory answers, whatever its age", async () => {
    world.hasTenant();
    await world.check();
    await world.timers.pass(30 * SECOND);
    world.snapshots.trouble("tenant", new Error("down"));
    world.tenants.trouble("load", new Error("down"));
    expect(verdictOf(await world.check())).toMatchObject({ source: "cache", degraded: false });
  });

  it("everything hangs: the deployment's policy, within 110 ms", async () => {
    for (const verb of ["tenantOfKey", "tenant", "outageStartedAt"] as const) world.snapshots.trouble(verb, "hangs");
    for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, "hangs");
    world.reads.trouble("readSubject", "hangs");
    for (const [caller, tenantId] of [[byKey, null] as const, [byId, ACME] as const]) {
      const answered = await world.check({ caller });
      expect(answered.tookMs).toBeLessThanOrEqual(110);
      expect(verdictOf(answered)).toMatchObject({ tenantId, allowed: true, source: "fail_open", degraded: true });
    }
    world.policy = { ...POLICY, defaultFailPolicy: "closed" };
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, source: "fail_closed" });
  });
});

describe("the tenant that the edge remembers for a key is gone", () => {
  beforeEach(() => {
    world.hasTenant();
    world.kv.configs.set(ACME, { deletedRevision: 9, deletedAt: 0, revision: 9 });
  });

  it.each(["hangs", new Error("down")] as const)("and Postgres is away (%s): LiteLLM alone answers", async (how) => {
    world.tenants.trouble("findByKey", how);
    const answered = await world.check();
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(verdictOf(answered)).toMatchObject({ tenantId: "acme", source: "litellm", degraded: true });
  });

  it("and nobody else has it: unknown", async () => {
    world.postgres.rows.clear();
    expect((await world.check()).outcome).toEqual({ kind: "unknown" });
  });
});

it("Postgres that goes away while a team is looked for is a degraded answer, not an error", async () => {
  world.hasTenant({ subject: { kind: "team", id: "team-1" } });
  world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-1" }));
  world.tenants.trouble("findBySubject", new Error("down"));
  expect(verdictOf(await world.check({ caller: { ...byKey, keyHash: hashOf("b") } })).degraded).toBe(true);
});
