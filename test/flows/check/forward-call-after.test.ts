// After a call through Gate: a read where its cost arrives late, LiteLLM's own refusal, and the verdict beside an
// answer.

import { describe, expect, it } from "vitest";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { TenantConfig } from "../../../src/budget/tenant.ts";
import { aSpendRecord, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { aModelAnswer } from "../../support/fakes/fake-model-calls.ts";
import { ACME } from "../../support/worlds/check-world.ts";
import { useGate } from "../../support/worlds/gate-world.ts";

const { gate, forward, cost, remembered, reports, reads } = useGate();

describe("the read after a call", () => {
  const due = { kind: "read_due", tenant_id: ACME, subject_id: hashOf("a"), reason: "recheck-20s", lane: "hint-1" };

  it("follows the end of a stream, not its beginning", async () => {
    gate.world.hasTenant();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.models.next = cost("1", { ended: promise, costNanoUsd: null });
    await forward();
    await gate.world.timers.pass(MINUTE);
    expect(reads()).toEqual([]);
    resolve();
    await gate.world.untilQuiet();
    expect(reads()).toEqual([{ message: due, delaySeconds: 30 }]);
  });

  it("follows once in 5 s for all streams of a tenant, 30 s after each of their ends", async () => {
    gate.world.hasTenant();
    gate.models.next = cost("1", { ended: Promise.resolve(), costNanoUsd: null });
    const readsAfter = async (ms: number) => {
      await gate.world.timers.pass(ms);
      await forward();
      await gate.world.untilQuiet();
      return reads().length;
    };
    expect(await readsAfter(0)).toBe(1);
    expect(await readsAfter(4_999)).toBe(1);
    expect(await readsAfter(1)).toBe(2);
  });

  it("follows a call of a team too, whose cost has counted at once", async () => {
    gate.world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    gate.world.kv.owners.set(hashOf("a"), ACME);
    gate.models.next = cost("5000");
    await forward();
    await gate.world.untilQuiet();
    expect(remembered()?.spendNanoUsd).toBe(usd("5100"));
    expect(gate.world.queue.sent).toEqual([{ message: { ...due, subject_id: "team-1" }, delaySeconds: 30 }]);
  });

  it("follows an answer without a cost", async () => {
    gate.world.hasTenant();
    await forward();
    await gate.world.untilQuiet();
    expect(reads()).toHaveLength(1);
  });
});

describe("a refusal by LiteLLM's own budget", () => {
  const refusal = () => aModelAnswer({ status: 422, isBudgetRefusal: true });
  const meanwhile = (differences: Partial<SpendRecord>, config: TenantConfig) =>
    gate.world.memory.rememberTenant(ACME, { config, spend: aSpendRecord(differences) }, NOW);

  it("keeps the tenant's true state and amounts when Bursar would allow the call, and queues a hint at once", async () => {
    gate.world.hasTenant();
    gate.models.next = refusal();
    const { outcome } = await forward();
    expect(outcome).toMatchObject({
      kind: "verdict",
      verdict: {
        tenantId: ACME,
        allowed: false,
        state: "ok",
        reason: "litellm_refused",
        spend: { spendNanoUsd: usd("100"), remainingNanoUsd: usd("400") },
      },
    });
    await gate.world.untilQuiet();
    expect(gate.world.queue.sent).toEqual([
      {
        message: expect.objectContaining({ kind: "calls", hints: [{ key_hash: hashOf("a"), team_id: null }] }),
        delaySeconds: 0,
      },
    ]);
  });

  it("becomes the ordinary refusal when the tenant has reached its block threshold during the call", async () => {
    const config = gate.world.hasTenant();
    gate.models.next = refusal();
    gate.models.onCall = () => meanwhile({ spendNanoUsd: usd("552") }, config);
    expect((await forward()).outcome).toMatchObject({
      kind: "verdict",
      verdict: { allowed: false, state: "blocked", reason: "over_grace", spend: { spendNanoUsd: usd("552") } },
    });
  });

  it("becomes a suspension when the tenant was suspended during the call", async () => {
    const config = gate.world.hasTenant();
    gate.models.next = refusal();
    gate.models.onCall = () => meanwhile({}, { ...config, suspendedAt: NOW });
    expect((await forward()).outcome).toMatchObject({ verdict: { allowed: false, reason: "suspended" } });
  });

  it("names LiteLLM as the reason for an observed tenant, which Bursar never refuses", async () => {
    gate.world.hasTenant({ enforcement: "observe" }, { spendNanoUsd: usd("5000") });
    gate.models.next = refusal();
    expect((await forward()).outcome).toMatchObject({
      verdict: { allowed: false, state: "blocked", reason: "litellm_refused", wouldBlock: true },
    });
  });

  it("does not count the spend of an ended period, which a failed read left in the memory", async () => {
    const old = { readAt: NOW - 60 * MINUTE, observedAt: NOW - 60 * MINUTE, resetsAt: NOW - 20 * MINUTE };
    gate.world.hasTenant({}, { spendNanoUsd: usd("5000"), ...old });
    gate.world.reads.trouble("readSubject", new Error("down"));
    gate.models.next = refusal();
    expect((await forward()).outcome).toMatchObject({ verdict: { state: "unknown", reason: "litellm_refused" } });
  });

  it("logs the tenant and LiteLLM's status once", async () => {
    gate.world.hasTenant();
    gate.models.next = refusal();
    await forward();
    expect(gate.world.log.lines).toEqual([
      'warn call refused by litellm {"tenant_id":"acme","status":422,"state":"ok","reason":"litellm_refused"}',
    ]);
  });

  it("returns the same refusal when its body has been read to the end", async () => {
    gate.world.hasTenant();
    gate.models.next = aModelAnswer({ status: 429, isBudgetRefusal: true, body: null });
    expect((await forward()).outcome).toMatchObject({ verdict: { reason: "litellm_refused" } });
  });

  it("queues a hint once in 5 s, however often the agent tries", async () => {
    gate.world.hasTenant();
    for (let tries = 0; tries < 3; tries++) {
      gate.models.next = refusal();
      await forward();
    }
    expect(reports()).toHaveLength(1);
  });

  it("names the team for a key of a team", async () => {
    gate.world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    gate.world.kv.owners.set(hashOf("a"), ACME);
    gate.models.next = refusal();
    await forward();
    expect(reports()[0]?.message).toMatchObject({ calls: [], hints: [{ team_id: "team-1" }] });
  });
});

describe("the verdict beside an answer", () => {
  it("counts the cost that the answer itself reports", async () => {
    gate.world.hasTenant();
    gate.models.next = cost("350");
    expect((await forward()).outcome).toMatchObject({
      kind: "answered",
      verdict: { allowed: true, state: "warning", spend: { remainingNanoUsd: usd("50") } },
    });
  });

  it("does not exist for an unmanaged key", async () => {
    expect((await forward({ keyHash: "b" })).outcome).toMatchObject({ kind: "answered", verdict: null });
  });
});
