// The check while a dependency fails: within 110 ms, from known state before any guess, and never without a log line.

import { beforeEach, describe, expect, it } from "vitest";
import type { FailPolicy } from "../../../src/budget/tenant.ts";
import { DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, byId, byKey, CheckWorld, POLICY, verdictOf } from "../../support/worlds/check-world.ts";

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

  it("X6: answers at exactly the deadline from the last known spend, and logs it", async () => {
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

  it("answers within 110 ms when the outage note hangs too", async () => {
    world.hasTenant({}, WARNED);
    world.snapshots.trouble("outageNote", "hangs");
    expect((await world.check()).tookMs).toBe(108);
    expect(world.log.lines).toContain('warn outage read slow {"waited_ms":8}');
  });

  it("keeps the deadline that the deployment sets", async () => {
    world.policy = { ...POLICY, checkDeadlineMs: 300 };
    world.hasTenant({}, WARNED);
    expect((await world.check()).tookMs).toBe(300);
  });

  it("keeps a read that finishes after the deadline for the next check", async () => {
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

  it("ends a known block with the period even when LiteLLM cannot show the next one", async () => {
    world.hasTenant({}, { ...OVER, resetsAt: NOW - SECOND });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, source: "fail_open" });
  });

  it("tries twice more in the background, and remembers the result", async () => {
    world.litellm.nextTries.pop();
    world.hasTenant({}, WARNED);
    await world.check();
    await world.untilQuiet();
    expect(world.litellm.reads.map(({ at }) => at - NOW)).toEqual([0, 200, 600]);
    expect(verdictOf(await world.check())).toMatchObject({ source: "cache", degraded: false });
  });

  it("answers with the config that Postgres returned meanwhile", async () => {
    const config = world.hasTenant({ revision: 1 }, { spendNanoUsd: usd("560"), ...OLD });
    world.inPostgres({ ...config, revision: 2, maxBudgetNanoUsd: usd("1000") }, OLD);
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "ok", source: "last_known" });
  });
});

describe("the limit of an open policy", () => {
  beforeEach(() => {
    world.hasTenant({ failPolicy: "open" }, WARNED);
    world.reads.trouble("readSubject", "hangs");
  });

  it.each([
    [60 * MINUTE - 1, true],
    [60 * MINUTE, false],
  ])("after %i ms of outage allowed is %s", async (outMs, isAllowed) => {
    world.kv.outage = NOW - outMs;
    expect(verdictOf(await world.check()).allowed).toBe(isAllowed);
  });

  it("never turns closed when FAIL_OPEN_MINUTES is 0", async () => {
    world.policy = { ...POLICY, failOpenMinutes: 0 };
    world.kv.outage = NOW - DAY;
    expect(verdictOf(await world.check()).allowed).toBe(true);
  });

  it("uses a note that arrived late for the next check, so a slow KV keeps no policy open", async () => {
    world.kv.outage = NOW - DAY;
    world.snapshots.trouble("outageNote", 2 * SECOND);
    expect(verdictOf(await world.check()).allowed).toBe(true);
    await world.timers.pass(5 * SECOND);
    expect(verdictOf(await world.check()).allowed).toBe(false);
  });

  it("uses a note that takes as long as the read, because the check starts it early", async () => {
    world.kv.outage = NOW - DAY;
    world.snapshots.trouble("outageNote", 90);
    expect(verdictOf(await world.check()).allowed).toBe(false);
  });

  it("takes the note from Postgres when KV cannot be read, and logs it", async () => {
    world.outageCopy.note = { startedAt: NOW - DAY, pings: [] };
    world.snapshots.trouble("outageNote", new Error("down"));
    expect(verdictOf(await world.check()).allowed).toBe(false);
    expect(world.log.lines).toContain("error kv outage read failed {} Error: down");
  });

  it("stays open while neither store can be read, and logs it", async () => {
    world.snapshots.trouble("outageNote", new Error("down"));
    world.outageNotes.trouble("load", new Error("down"));
    expect(verdictOf(await world.check()).allowed).toBe(true);
    expect(world.log.lines).toContain("error outage read failed {} Error: down");
  });
});

describe("Redis fails", () => {
  beforeEach(() => void world.hasTenant({}, WARNED));

  it("reads on after the claim timeout when Redis hangs", async () => {
    world.claims.trouble("claimRead", "hangs");
    world.litellm.tryMs = 30;
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([50, "litellm"]);
    expect(world.log.lines).toEqual(['warn read claim slow {"waited_ms":20}']);
  });

  it("reads on at once when Redis fails", async () => {
    world.claims.trouble("claimRead", new Error("down"));
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([0, "litellm"]);
  });

  it("reads once in five seconds per isolate without Redis", async () => {
    world.claims.trouble("claimRead", new Error("down"));
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("1") }));
    for (let second = 0; second < 5; second++) {
      await world.check({ demandedMaxAgeMs: null });
      await world.timers.pass(999);
    }
    expect(world.litellm.reads).toHaveLength(1);
  });
});

describe("KV and Postgres fail", () => {
  it("asks Postgres after the store timeout when KV hangs", async () => {
    world.hasTenant();
    world.snapshots.trouble("ownerOf", "hangs");
    world.snapshots.trouble("tenant", "hangs");
    const answered = await world.check();
    expect([answered.tookMs, verdictOf(answered).source]).toEqual([40, "cache"]);
  });

  it("asks Postgres at once when KV fails, and logs the failure", async () => {
    world.hasTenant();
    world.snapshots.trouble("ownerOf", new Error("down"));
    expect((await world.check()).tookMs).toBe(0);
    expect(world.log.lines).toContain("error kv key read failed {} Error: down");
  });

  it.each(["hangs", new Error("down")] as const)(
    "asks LiteLLM alone when both are away (%s), and marks the answer as degraded",
    async (how) => {
      world.hasTenant({}, { spendNanoUsd: usd("550") });
      for (const verb of ["ownerOf", "tenant"] as const) world.snapshots.trouble(verb, how);
      for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, how);
      world.litellm.tryMs = 15;
      const answered = await world.check();
      expect(answered.tookMs).toBe(how === "hangs" ? 100 : 15);
      expect(verdictOf(answered)).toMatchObject({
        tenantId: "acme",
        allowed: false,
        reason: "over_grace",
        source: "litellm",
        degraded: true,
      });
    },
  );

  it("calls a key unknown when both are away and LiteLLM does not know it", async () => {
    world.tenants.trouble("findByKey", new Error("down"));
    expect((await world.check()).outcome).toEqual({ kind: "unknown" });
  });

  it("answers from the memory, whatever its age, when both go away after the key was found", async () => {
    world.hasTenant();
    await world.check();
    await world.timers.pass(30 * SECOND);
    world.snapshots.trouble("tenant", new Error("down"));
    world.tenants.trouble("load", new Error("down"));
    expect(verdictOf(await world.check())).toMatchObject({ source: "cache", degraded: false });
  });

  it("calls nothing an outage within 110 ms while everything hangs, with the deployment's policy for a yes or no", async () => {
    for (const verb of ["ownerOf", "tenant", "outageNote"] as const) world.snapshots.trouble(verb, "hangs");
    for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, "hangs");
    world.reads.trouble("readSubject", "hangs");
    for (const [caller, tenantId] of [[byKey, null] as const, [byId, ACME] as const]) {
      const answered = await world.check({ caller });
      expect(answered.tookMs).toBeLessThanOrEqual(110);
      const verdict = { tenantId, allowed: true, source: "fail_open", degraded: true };
      expect(answered.outcome).toMatchObject({ kind: "undecided", verdict });
    }
    world.policy = { ...POLICY, defaultFailPolicy: "closed" };
    const { outcome } = await world.check();
    expect(outcome).toMatchObject({ kind: "undecided", verdict: { allowed: false, source: "fail_closed" } });
  });
});

describe("a cached key of a deleted tenant", () => {
  beforeEach(() => {
    world.hasTenant();
    world.kv.configs.set(ACME, { deletedRevision: 9, deletedAt: 0, revision: 9 });
  });

  it.each(["hangs", new Error("down")] as const)("asks LiteLLM alone when Postgres is away too (%s)", async (how) => {
    world.tenants.trouble("findByKey", how);
    const answered = await world.check();
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(verdictOf(answered)).toMatchObject({ tenantId: "acme", source: "litellm", degraded: true });
  });

  it("calls the key unknown when no other tenant has it", async () => {
    world.postgres.rows.clear();
    expect((await world.check()).outcome).toEqual({ kind: "unknown" });
  });
});

it("gives a degraded answer when Postgres goes away during the team lookup", async () => {
  world.hasTenant({ subject: { kind: "team", id: "team-1" } });
  world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-1" }));
  world.tenants.trouble("findBySubject", new Error("down"));
  expect(verdictOf(await world.check({ caller: { ...byKey, keyHash: hashOf("b") } })).degraded).toBe(true);
});
