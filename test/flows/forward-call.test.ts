// Gate's flow in virtual time: who gets through, how long the check may take, and what an answer tells of the spend.

import { beforeEach, describe, expect, it } from "vitest";
import { forwardCall } from "../../src/flows/forward-call.ts";
import type { ModelAnswer } from "../../src/ports.ts";
import { DAY, MINUTE, NOW, SECOND, usd } from "../budget/builders.ts";
import { breakable } from "../support/breakable.ts";
import { hashOf } from "../support/builders.ts";
import { ACME, byKey, CheckWorld, POLICY } from "../support/check-world.ts";
import { AWAY } from "../support/fake-litellm.ts";
import { aModelAnswer, FakeModelCalls } from "../support/fake-model-calls.ts";

let world: CheckWorld;
let models: FakeModelCalls;
beforeEach(() => {
  world = new CheckWorld();
  models = new FakeModelCalls();
});

/** A call that begins now. */
async function forward(options: { keyHash?: string; method?: string; modelMs?: number } = {}) {
  const { keyHash = "a", method = "POST", modelMs = 0 } = options;
  const now = world.clock();
  const port = breakable(models, world.timers);
  port.trouble("forward", modelMs);
  const caller = { ...byKey, keyHash: hashOf(keyHash) };
  const check = { caller, demandedMaxAgeMs: null, colo: "FRA", now, random: 0 };
  const call = {
    method,
    path: "/v1/chat/completions",
    headers: new Headers(),
    body: null,
    signal: new AbortController().signal,
  };
  const deps = { ...world.deps(), modelCalls: port.port };
  const outcome = await world.timers.runUntil(forwardCall({ check, call }, deps));
  return { outcome, tookMs: world.clock() - now };
}

const spent = (decimal: string, differences: Partial<ModelAnswer & { kind: "answered" }> = {}) =>
  aModelAnswer({ keySpendNanoUsd: usd(decimal), ...differences });
const remembered = () => world.memory.tenant(ACME)?.spend;
const reports = () => world.queue.sent.filter(({ message }) => message.kind === "calls");
const reads = () => world.queue.sent.filter(({ message }) => message.kind === "read_due");

describe("who gets through", () => {
  it("a tenant within its budget: the answer is LiteLLM's", async () => {
    world.hasTenant();
    const { outcome } = await forward();
    expect(outcome).toBe(models.next);
  });

  it("a tenant at its blocking line does not, and LiteLLM never hears of it", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("550") });
    const { outcome } = await forward();
    expect(outcome).toMatchObject({ kind: "verdict", verdict: { allowed: false, reason: "over_grace" } });
    expect(models.calls).toEqual([]);
  });

  it("a tenant that is only observed does, whatever it has spent", async () => {
    world.hasTenant({ enforcement: "observe" }, { spendNanoUsd: usd("5000") });
    expect((await forward()).outcome.kind).toBe("answered");
  });

  it.each([
    ["allow", "answered", 1],
    ["block", "unknown", 0],
  ] as const)("a key that no tenant has, under %s: %s", async (unmanagedKeys, kind, calls) => {
    world.policy = { ...POLICY, unmanagedKeys };
    expect((await forward({ keyHash: "b" })).outcome.kind).toBe(kind);
    expect(models.calls).toHaveLength(calls);
  });

  it.each([
    ["allow", "answered"],
    ["block", "too_many_unknown"],
  ] as const)("too many such keys from one address, under %s: %s", async (unmanagedKeys, kind) => {
    world.policy = { ...POLICY, unmanagedKeys };
    world.callers.isAllowed = false;
    expect((await forward({ keyHash: "b" })).outcome.kind).toBe(kind);
  });

  it("LiteLLM refuses a key that no tenant has: its own answer, untouched", async () => {
    models.next = aModelAnswer({ status: 429, budgetRefusal: "Budget has been exceeded!" });
    expect((await forward({ keyHash: "b" })).outcome).toBe(models.next);
    expect(world.queue.sent).toEqual([]);
  });
});

describe("while things break", () => {
  const nothingAnswers = () => {
    for (const verb of ["tenantOfKey", "tenant", "outageStartedAt"] as const) world.snapshots.trouble(verb, "hangs");
    for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, "hangs");
    world.reads.trouble("readSubject", "hangs");
    world.claims.trouble("claimRefresh", "hangs");
  };

  it.each([
    ["open", "answered"],
    ["closed", "verdict"],
  ] as const)("the check of a call ends within 110 ms when everything hangs; %s: %s", async (policy, kind) => {
    world.policy = { ...POLICY, defaultFailPolicy: policy };
    nothingAnswers();
    const { outcome, tookMs } = await forward();
    expect(outcome.kind).toBe(kind);
    expect(tookMs).toBeLessThanOrEqual(110);
  });

  it("the model itself may take as long as it likes", async () => {
    world.hasTenant();
    expect(await forward({ modelMs: 10 * MINUTE })).toMatchObject({ outcome: { kind: "answered" }, tookMs: 600_000 });
  });

  it("the queue refuses: the answer is the same, and this isolate has learned all the same", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("100") });
    world.queue.isAway = true;
    models.next = spent("550");
    expect((await forward()).outcome).toBe(models.next);
    await world.untilQuiet();
    expect(remembered()?.spendNanoUsd).toBe(usd("550"));
    expect(world.log.lines.join()).toContain("tell what a call has shown failed");
  });

  it("LiteLLM is not reached: said once, nothing tried again, and a read follows, for it may have been charged", async () => {
    world.hasTenant();
    models.next = { kind: "unreachable", why: "network" };
    expect((await forward()).outcome.kind).toBe("unreachable");
    await world.untilQuiet();
    expect(models.calls).toHaveLength(1);
    expect(world.log.lines).toContain('warn model call failed {"tenant_id":"acme","why":"network"}');
    expect(reads()).toHaveLength(1);
  });

  it("nothing is known of the tenant but its verdict: the answer goes on, nothing is learned", async () => {
    world.litellm.nextTries.push(AWAY);
    for (const verb of ["tenantOfKey", "tenant"] as const) world.snapshots.trouble(verb, new Error("down"));
    for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, new Error("down"));
    models.next = spent("550");
    expect((await forward()).outcome.kind).toBe("answered");
    expect(world.queue.sent).toEqual([]);
  });
});

describe("what an answer tells", () => {
  it("the spend of the tenant's own key: the next check of this isolate refuses, without asking anybody", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("540") });
    models.next = spent("550");
    await forward();
    expect((await forward()).outcome).toMatchObject({ kind: "verdict", verdict: { reason: "over_grace" } });
    expect(models.calls).toHaveLength(1);
    expect(remembered()).toMatchObject({ spendNanoUsd: usd("550"), source: "gate", observedAt: NOW });
  });

  it("is seen when the answer comes, of a call that began before", async () => {
    world.hasTenant();
    models.next = spent("450");
    await forward({ modelMs: 30 * SECOND });
    expect(remembered()?.observedAt).toBe(NOW + 30 * SECOND);
    expect(reports()[0]?.message).toEqual({
      kind: "calls",
      source: "gate",
      key_hash: hashOf("a"),
      team_id: null,
      spend: "450",
      begun_at: NOW,
      received_at: NOW + 30 * SECOND,
      count: 1,
    });
  });

  it("nothing new when it is no more than what is known", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("100") });
    models.next = spent("100");
    await forward();
    await world.untilQuiet();
    expect(remembered()?.source).toBe("litellm");
    expect(world.queue.sent).toEqual([]);
  });

  it("small steps are told every 5 s, each state and each percent at once", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("100") });
    const reportsAfter = async (decimal: string) => {
      models.next = spent(decimal);
      await forward();
      return reports().length;
    };
    expect(await reportsAfter("101")).toBe(1);
    expect(await reportsAfter("102")).toBe(1);
    expect(await reportsAfter("107")).toBe(2);
    expect(await reportsAfter("108")).toBe(2);
    await world.timers.pass(5 * SECOND);
    expect(await reportsAfter("109")).toBe(3);
    expect(await reportsAfter("399.99")).toBe(4);
    expect(await reportsAfter("400")).toBe(5);
  });

  it("in the first minutes of a period it is left to the consumer, which knows when LiteLLM entered it", async () => {
    const started = { litellmKeyLastReset: NOW - 5 * MINUTE, budgetResetAt: NOW + 20 * DAY };
    world.hasTenant(started, { spendNanoUsd: 0n, periodStartedAt: NOW - 5 * MINUTE, resetsAt: NOW + 20 * DAY });
    models.next = spent("550");
    await forward();
    expect(remembered()?.spendNanoUsd).toBe(0n);
    expect(reports()).toHaveLength(1);
    await forward();
    expect(reports()).toHaveLength(1);
  });

  it("what failed tells nothing", async () => {
    world.hasTenant();
    models.next = aModelAnswer({ status: 500 });
    await forward();
    await world.untilQuiet();
    expect(world.queue.sent).toEqual([]);
  });

  it("a list of models costs nothing and is followed by nothing", async () => {
    world.hasTenant();
    await forward({ method: "GET" });
    await world.untilQuiet();
    expect(world.queue.sent).toEqual([]);
  });
});

describe("a read follows in 20 s", () => {
  const due = { kind: "read_due", tenant_id: ACME, subject_id: hashOf("a"), lane: "hint-1" };

  it("after the end of a stream, not its beginning", async () => {
    world.hasTenant();
    const { promise, resolve } = Promise.withResolvers<void>();
    models.next = spent("100", { ended: promise });
    await forward();
    await world.timers.pass(MINUTE);
    expect(reads()).toEqual([]);
    resolve();
    await world.untilQuiet();
    expect(reads()).toEqual([{ message: due, delaySeconds: 20 }]);
  });

  it("once in 5 s for all streams of a tenant, so that it comes 15 s after each of their ends", async () => {
    world.hasTenant();
    models.next = spent("100", { ended: Promise.resolve() });
    const readsAfter = async (ms: number) => {
      await world.timers.pass(ms);
      await forward();
      await world.untilQuiet();
      return reads().length;
    };
    expect(await readsAfter(0)).toBe(1);
    expect(await readsAfter(4_999)).toBe(1);
    expect(await readsAfter(1)).toBe(2);
  });

  it("after a call of a team, whose spend no header shows", async () => {
    world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    world.kv.tenantsOfKeys.set(hashOf("a"), ACME);
    models.next = spent("5000");
    await forward();
    await world.untilQuiet();
    expect(remembered()?.spendNanoUsd).toBe(usd("100"));
    expect(world.queue.sent).toEqual([{ message: { ...due, subject_id: "team-1" }, delaySeconds: 20 }]);
  });

  it("after an answer that does not say what was spent", async () => {
    world.hasTenant();
    await forward();
    await world.untilQuiet();
    expect(reads()).toHaveLength(1);
  });
});

describe("LiteLLM refuses by a budget of its own", () => {
  const refusal = () => aModelAnswer({ status: 400, budgetRefusal: "Budget has been exceeded!" });

  it("is a refusal with the tenant's verdict, and a hint at once", async () => {
    world.hasTenant();
    models.next = refusal();
    const { outcome } = await forward();
    expect(outcome).toMatchObject({
      kind: "refused_by_litellm",
      why: "Budget has been exceeded!",
      verdict: { tenantId: ACME },
    });
    await world.untilQuiet();
    expect(world.queue.sent).toEqual([
      { message: expect.objectContaining({ kind: "calls", key_hash: hashOf("a"), spend: null }), delaySeconds: 0 },
    ]);
  });

  it("is a hint once in 5 s, however often the agent tries", async () => {
    world.hasTenant();
    for (let tries = 0; tries < 3; tries++) {
      models.next = refusal();
      await forward();
    }
    expect(reports()).toHaveLength(1);
  });

  it("leads to the team of a team's key", async () => {
    world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    world.kv.tenantsOfKeys.set(hashOf("a"), ACME);
    models.next = refusal();
    await forward();
    expect(reports()[0]?.message).toMatchObject({ team_id: "team-1", spend: null });
  });
});
