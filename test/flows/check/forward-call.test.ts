// Gate's flow in virtual time: who gets through, how long the check may take, and what an answer tells of the spend.

import { describe, expect, it } from "vitest";
import { DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders.ts";
import { POLICY } from "../../support/check-world.ts";
import { AWAY, aLiteLlmRow } from "../../support/fake-litellm.ts";
import { aModelAnswer } from "../../support/fake-model-calls.ts";
import { useGate } from "../../support/gate-world.ts";

const { gate, forward, spent, remembered, reports, reads } = useGate();

describe("who gets through", () => {
  it("a tenant within its budget: the answer is LiteLLM's", async () => {
    gate.world.hasTenant();
    const { outcome } = await forward();
    expect(outcome).toBe(gate.models.next);
  });

  it("a tenant at its blocking line does not, and LiteLLM never hears of it", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("550") });
    const { outcome } = await forward();
    expect(outcome).toMatchObject({ kind: "verdict", verdict: { allowed: false, reason: "over_grace" } });
    expect(gate.models.calls).toEqual([]);
  });

  it("a tenant that is only observed does, whatever it has spent", async () => {
    gate.world.hasTenant({ enforcement: "observe" }, { spendNanoUsd: usd("5000") });
    expect((await forward()).outcome.kind).toBe("answered");
  });

  it.each([
    ["allow", "answered", 1],
    ["block", "unknown", 0],
  ] as const)("a key that no tenant has, under %s: %s", async (unmanagedKeys, kind, calls) => {
    gate.world.policy = { ...POLICY, unmanagedKeys };
    expect((await forward({ keyHash: "b" })).outcome.kind).toBe(kind);
    expect(gate.models.calls).toHaveLength(calls);
  });

  it.each([
    ["allow", "answered"],
    ["block", "too_many_unknown"],
  ] as const)("too many such keys from one address, under %s: %s", async (unmanagedKeys, kind) => {
    gate.world.policy = { ...POLICY, unmanagedKeys };
    gate.world.callers.isAllowed = false;
    expect((await forward({ keyHash: "b" })).outcome.kind).toBe(kind);
  });

  it("a blocked tenant's key that the edge does not know yet is refused behind an address of busy unmanaged keys", async () => {
    gate.world.hasTenant({ subject: { kind: "team", id: "team-1" } }, { spendNanoUsd: usd("5000") });
    gate.world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-1" }));
    gate.world.kv.tenantsOfKeys.clear();
    gate.world.callers.isAllowed = false;
    await forward({ keyHash: "b" });
    expect((await forward()).outcome).toMatchObject({ kind: "verdict", verdict: { allowed: false } });
  });

  it("LiteLLM refuses a key that no tenant has: its own answer, untouched", async () => {
    gate.models.next = aModelAnswer({ status: 429, budgetRefusal: "Budget has been exceeded!" });
    expect((await forward({ keyHash: "b" })).outcome).toBe(gate.models.next);
    expect(gate.world.queue.sent).toEqual([]);
  });
});

describe("while things break", () => {
  const nothingAnswers = () => {
    for (const verb of ["tenantOfKey", "tenant", "outageStartedAt"] as const)
      gate.world.snapshots.trouble(verb, "hangs");
    for (const verb of ["findByKey", "load"] as const) gate.world.tenants.trouble(verb, "hangs");
    gate.world.reads.trouble("readSubject", "hangs");
    gate.world.claims.trouble("claimRefresh", "hangs");
  };

  it.each([
    ["open", "answered"],
    ["closed", "verdict"],
  ] as const)("the check of a call ends within 110 ms when everything hangs; %s: %s", async (policy, kind) => {
    gate.world.policy = { ...POLICY, defaultFailPolicy: policy };
    nothingAnswers();
    const { outcome, tookMs } = await forward();
    expect(outcome.kind).toBe(kind);
    expect(tookMs).toBeLessThanOrEqual(110);
  });

  it("the model itself may take as long as it likes", async () => {
    gate.world.hasTenant();
    expect(await forward({ modelMs: 10 * MINUTE })).toMatchObject({ outcome: { kind: "answered" }, tookMs: 600_000 });
  });

  it("the queue refuses: the answer is the same, and this isolate has learned all the same", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("100") });
    gate.world.queue.isAway = true;
    gate.models.next = spent("550");
    expect((await forward()).outcome).toBe(gate.models.next);
    await gate.world.untilQuiet();
    expect(remembered()?.spendNanoUsd).toBe(usd("550"));
    expect(gate.world.log.lines.join()).toContain("tell what a call has shown failed");
  });

  it("LiteLLM is not reached: said once, nothing tried again, and a read follows, for it may have been charged", async () => {
    gate.world.hasTenant();
    gate.models.next = { kind: "unreachable", why: "network" };
    expect((await forward()).outcome.kind).toBe("unreachable");
    await gate.world.untilQuiet();
    expect(gate.models.calls).toHaveLength(1);
    expect(gate.world.log.lines).toContain('warn model call failed {"tenant_id":"acme","why":"network"}');
    expect(reads()).toHaveLength(1);
  });

  it("nothing is known of the tenant but its verdict: the answer goes on, nothing is learned", async () => {
    gate.world.litellm.nextTries.push(AWAY);
    for (const verb of ["tenantOfKey", "tenant"] as const) gate.world.snapshots.trouble(verb, new Error("down"));
    for (const verb of ["findByKey", "load"] as const) gate.world.tenants.trouble(verb, new Error("down"));
    gate.models.next = spent("550");
    expect((await forward()).outcome.kind).toBe("answered");
    expect(gate.world.queue.sent).toEqual([]);
  });
});

describe("what an answer tells", () => {
  it("the spend of the tenant's own key: the next check of this isolate refuses, without asking anybody", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("540") });
    gate.models.next = spent("550");
    await forward();
    expect((await forward()).outcome).toMatchObject({ kind: "verdict", verdict: { reason: "over_grace" } });
    expect(gate.models.calls).toHaveLength(1);
    expect(remembered()).toMatchObject({ spendNanoUsd: usd("550"), source: "gate", observedAt: NOW });
  });

  it("is seen when the answer comes, of a call that began before", async () => {
    gate.world.hasTenant();
    gate.models.next = spent("450");
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
    gate.world.hasTenant({}, { spendNanoUsd: usd("100") });
    gate.models.next = spent("100");
    await forward();
    await gate.world.untilQuiet();
    expect(remembered()?.source).toBe("litellm");
    expect(gate.world.queue.sent).toEqual([]);
  });

  it("small steps are told every 5 s, each state and each percent at once", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("100") });
    const reportsAfter = async (decimal: string) => {
      gate.models.next = spent(decimal);
      await forward();
      return reports().length;
    };
    expect(await reportsAfter("101")).toBe(1);
    expect(await reportsAfter("102")).toBe(1);
    expect(await reportsAfter("107")).toBe(2);
    expect(await reportsAfter("108")).toBe(2);
    await gate.world.timers.pass(5 * SECOND);
    expect(await reportsAfter("109")).toBe(3);
    expect(await reportsAfter("399.99")).toBe(4);
    expect(await reportsAfter("400")).toBe(5);
  });

  it("in the first minutes of a period it is left to the consumer, which knows when LiteLLM entered it", async () => {
    const started = { litellmKeyLastReset: NOW - 5 * MINUTE, budgetResetAt: NOW + 20 * DAY };
    gate.world.hasTenant(started, { spendNanoUsd: 0n, periodStartedAt: NOW - 5 * MINUTE, resetsAt: NOW + 20 * DAY });
    gate.models.next = spent("550");
    await forward();
    expect(remembered()?.spendNanoUsd).toBe(0n);
    expect(reports()).toHaveLength(1);
    await forward();
    expect(reports()).toHaveLength(1);
  });

  it("what failed tells nothing", async () => {
    gate.world.hasTenant();
    gate.models.next = aModelAnswer({ status: 500 });
    await forward();
    await gate.world.untilQuiet();
    expect(gate.world.queue.sent).toEqual([]);
  });

  it("a list of gate.models costs nothing and is followed by nothing", async () => {
    gate.world.hasTenant();
    await forward({ method: "GET" });
    await gate.world.untilQuiet();
    expect(gate.world.queue.sent).toEqual([]);
  });
});
