// Gate's flow in virtual time: which calls it forwards, how long the check may take, and what it learns from an answer.

import { describe, expect, it } from "vitest";
import type { TenantId } from "../../../src/budget/tenant.ts";
import { aSpendRecord, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { aModelAnswer } from "../../support/fakes/fake-model-calls.ts";
import { ACME, POLICY } from "../../support/worlds/check-world.ts";
import { useGate } from "../../support/worlds/gate-world.ts";

const { gate, forward, cost, remembered, reports, reads } = useGate();

describe("forwarding", () => {
  it("forwards a tenant within its budget and returns LiteLLM's answer", async () => {
    gate.world.hasTenant();
    const { outcome } = await forward();
    expect(outcome).toMatchObject({ kind: "answered", answer: gate.models.next });
  });

  it("refuses a tenant at its block threshold without calling LiteLLM", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("550") });
    const { outcome } = await forward();
    expect(outcome).toMatchObject({ kind: "verdict", verdict: { allowed: false, reason: "over_grace" } });
    expect(gate.models.calls).toEqual([]);
  });

  it("forwards what spends nothing for a tenant at its block threshold", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("550") });
    expect((await forward({ spends: false })).outcome).toMatchObject({
      kind: "answered",
      verdict: { allowed: false, reason: "over_grace" },
    });
  });

  it("forwards what spends nothing under a closed fail policy", async () => {
    gate.world.hasTenant({ failPolicy: "closed" }, null);
    gate.world.reads.trouble("readSubject", new Error("down"));
    expect((await forward({ spends: false })).outcome.kind).toBe("answered");
  });

  it("refuses everything for a suspended tenant, even what spends nothing", async () => {
    gate.world.hasTenant({ suspendedAt: NOW });
    expect((await forward({ spends: false })).outcome).toMatchObject({ verdict: { reason: "suspended" } });
    expect(gate.models.calls).toEqual([]);
  });

  it("forwards an observed tenant, whatever it has spent", async () => {
    gate.world.hasTenant({ enforcement: "observe" }, { spendNanoUsd: usd("5000") });
    expect((await forward()).outcome.kind).toBe("answered");
  });

  it.each([
    ["allow", "answered", 1],
    ["block", "unknown", 0],
  ] as const)("an unmanaged key under %s: %s", async (unmanagedKeys, kind, calls) => {
    gate.world.policy = { ...POLICY, unmanagedKeys };
    expect((await forward({ keyHash: "b" })).outcome.kind).toBe(kind);
    expect(gate.models.calls).toHaveLength(calls);
  });

  it.each(["allow", "block"] as const)(
    "refuses more keys that nobody has of one network, under %s",
    async (unmanagedKeys) => {
      gate.world.policy = { ...POLICY, unmanagedKeys };
      await gate.world.guessKeys();
      expect((await forward({ keyHash: "b" })).outcome.kind).toBe("too_many_unknown");
    },
  );

  it("refuses a blocked tenant's uncached key behind an address of busy unmanaged keys", async () => {
    gate.world.hasTenant({ subject: { kind: "team", id: "team-1" } }, { spendNanoUsd: usd("5000") });
    gate.world.litellm.has(aLiteLlmRow({ metadata: {}, teamId: "team-1" }));
    gate.world.kv.owners.clear();
    await gate.world.guessKeys();
    await forward();
    await gate.world.timers.pass(SECOND);
    expect((await forward()).outcome).toMatchObject({ kind: "verdict", verdict: { allowed: false } });
  });

  it("returns LiteLLM's own refusal of an unmanaged key unchanged", async () => {
    gate.models.next = aModelAnswer({ status: 429, isBudgetRefusal: true });
    expect((await forward({ keyHash: "b" })).outcome).toMatchObject({ answer: gate.models.next });
    expect(gate.world.queue.sent).toEqual([]);
  });
});

describe("failures", () => {
  const nothingAnswers = () => {
    for (const verb of ["ownerOf", "tenant", "outageNote"] as const) gate.world.snapshots.trouble(verb, "hangs");
    for (const verb of ["findByKey", "load"] as const) gate.world.tenants.trouble(verb, "hangs");
    gate.world.reads.trouble("readSubject", "hangs");
    gate.world.claims.trouble("claimRead", "hangs");
  };

  it.each([
    ["open", "answered"],
    ["closed", "verdict"],
  ] as const)("ends the check within 110 ms when everything hangs; %s: %s", async (policy, kind) => {
    gate.world.policy = { ...POLICY, defaultFailPolicy: policy };
    nothingAnswers();
    const { outcome, tookMs } = await forward();
    expect(outcome.kind).toBe(kind);
    expect(tookMs).toBeLessThanOrEqual(110);
  });

  it("waits for the model as long as it takes", async () => {
    gate.world.hasTenant();
    expect(await forward({ modelMs: 10 * MINUTE })).toMatchObject({ outcome: { kind: "answered" }, tookMs: 600_000 });
  });

  it("returns the same answer when the queue refuses, and the isolate still learns the spend", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("100") });
    gate.world.queue.isAway = true;
    gate.models.next = cost("450");
    expect((await forward()).outcome).toMatchObject({ answer: gate.models.next });
    await gate.world.untilQuiet();
    expect(remembered()?.spendNanoUsd).toBe(usd("550"));
    expect(gate.world.log.lines.join()).toContain("scheduled read enqueue failed");
  });

  it("logs an unreachable LiteLLM once, retries nothing, and schedules a read, because the call may have been charged", async () => {
    gate.world.hasTenant();
    gate.models.next = { kind: "unreachable", why: "network", mayHaveArrived: true };
    expect((await forward()).outcome).toEqual({ kind: "unreachable", mayBeCharged: true });
    await gate.world.untilQuiet();
    expect(gate.models.calls).toHaveLength(1);
    expect(gate.world.log.lines).toContain('warn model call failed {"tenant_id":"acme","why":"network"}');
    expect(reads()).toHaveLength(1);
  });

  it("charges nobody for a call that did not arrive", async () => {
    gate.world.hasTenant();
    gate.models.next = { kind: "unreachable", why: "status 521", mayHaveArrived: false };
    expect((await forward()).outcome).toEqual({ kind: "unreachable", mayBeCharged: false });
    await gate.world.untilQuiet();
    expect(reads()).toEqual([]);
  });

  it("charges nobody for a call that spends nothing and breaks off", async () => {
    gate.world.hasTenant();
    gate.models.next = { kind: "unreachable", why: "network", mayHaveArrived: true };
    expect((await forward({ spends: false })).outcome).toEqual({ kind: "unreachable", mayBeCharged: false });
    await gate.world.untilQuiet();
    expect(reads()).toEqual([]);
  });

  it("forwards the answer and learns nothing without a cached config", async () => {
    gate.world.hasTenant();
    gate.world.litellm.nextTries.push(AWAY);
    gate.world.snapshots.trouble("tenant", new Error("down"));
    gate.world.tenants.trouble("load", new Error("down"));
    gate.models.next = cost("450");
    expect((await forward()).outcome).toMatchObject({ kind: "answered", verdict: { tenantId: "acme" } });
    expect(gate.world.queue.sent).toEqual([]);
  });
});

describe("learning from an answer", () => {
  it("adds the cost of a call to the key's own tenant and to its team's", async () => {
    const { world } = gate;
    world.hasTenant({}, { spendNanoUsd: usd("400") });
    const team = world.hasTenant(
      { tenantId: idOf("team"), subject: { kind: "team", id: "team-1" } },
      { spendNanoUsd: usd("100") },
    );
    world.memory.rememberTeamOf(hashOf("a"), "team-1");
    gate.models.next = cost("5");
    expect((await forward()).outcome).toMatchObject({ kind: "answered" });
    const spendOf = (tenantId: TenantId) => world.memory.tenant(tenantId)?.spend?.spendNanoUsd;
    expect([spendOf(ACME), spendOf(team.tenantId)]).toEqual([usd("405"), usd("105")]);
  });

  it("adds the cost of a call to the key's own tenant alone when its team is no tenant", async () => {
    gate.world.hasTenant({}, { spendNanoUsd: usd("400") });
    gate.world.memory.rememberTeamOf(hashOf("a"), "team-1");
    gate.models.next = cost("5");
    await forward();
    expect(remembered()?.spendNanoUsd).toBe(usd("405"));
  });

  it("adds up the costs of twelve calls, and refuses the next one at the block threshold", async () => {
    gate.world.hasTenant({ maxBudgetNanoUsd: usd("3") }, { spendNanoUsd: 0n });
    for (let call = 1; call <= 12; call++) {
      gate.models.next = cost("0.28");
      expect((await forward()).outcome.kind).toBe("answered");
      expect(remembered()?.spendNanoUsd).toBe(usd("0.28") * BigInt(call));
    }
    expect((await forward()).outcome).toMatchObject({ kind: "verdict", verdict: { reason: "over_grace" } });
    expect(gate.models.calls).toHaveLength(12);
    expect(remembered()).toMatchObject({ source: "gate" });
    expect(reports()).toEqual([]);
  });

  it("keeps the cost beside an older copy from KV, and drops it with the copy of a later epoch", async () => {
    const config = gate.world.hasTenant({}, { spendNanoUsd: usd("100") });
    gate.models.next = cost("50");
    await forward();
    await gate.world.timers.pass(5 * SECOND);
    await gate.world.kv.writeSpend(config, aSpendRecord({ spendNanoUsd: usd("120") }));
    await forward();
    expect(remembered()?.spendNanoUsd).toBe(usd("200"));
    await gate.world.timers.pass(5 * SECOND);
    await gate.world.kv.writeSpend(config, aSpendRecord({ spendNanoUsd: usd("3"), epoch: 2 }));
    gate.models.next = cost("1");
    await forward();
    expect(remembered()?.spendNanoUsd).toBe(usd("4"));
  });

  it("learns nothing from a failed call", async () => {
    gate.world.hasTenant();
    gate.models.next = aModelAnswer({ status: 500 });
    await forward();
    await gate.world.untilQuiet();
    expect(gate.world.queue.sent).toEqual([]);
  });

  it("learns nothing from a call that spends nothing", async () => {
    gate.world.hasTenant();
    await forward({ spends: false });
    await gate.world.untilQuiet();
    expect(gate.world.queue.sent).toEqual([]);
  });
});
