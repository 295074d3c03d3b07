// After a call through Gate: a read where its cost arrives late, and LiteLLM's own refusal.

import { describe, expect, it } from "vitest";
import { MINUTE, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { aModelAnswer } from "../../support/fakes/fake-model-calls.ts";
import { ACME } from "../../support/worlds/check-world.ts";
import { useGate } from "../../support/worlds/gate-world.ts";

const { gate, forward, spent, remembered, reports, reads } = useGate();

describe("the read after a call", () => {
  const due = { kind: "read_due", tenant_id: ACME, subject_id: hashOf("a"), reason: "recheck-20s", lane: "hint-1" };

  it("follows the end of a stream, not its beginning", async () => {
    gate.world.hasTenant();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.models.next = spent("100", { ended: promise });
    await forward();
    await gate.world.timers.pass(MINUTE);
    expect(reads()).toEqual([]);
    resolve();
    await gate.world.untilQuiet();
    expect(reads()).toEqual([{ message: due, delaySeconds: 20 }]);
  });

  it("follows once in 5 s for all streams of a tenant, 15 s after each of their ends", async () => {
    gate.world.hasTenant();
    gate.models.next = spent("100", { ended: Promise.resolve() });
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

  it("follows a call of a team, whose spend no header shows", async () => {
    gate.world.hasTenant({ subject: { kind: "team", id: "team-1" } });
    gate.world.kv.tenantsOfKeys.set(hashOf("a"), ACME);
    gate.models.next = spent("5000");
    await forward();
    await gate.world.untilQuiet();
    expect(remembered()?.spendNanoUsd).toBe(usd("100"));
    expect(gate.world.queue.sent).toEqual([{ message: { ...due, subject_id: "team-1" }, delaySeconds: 20 }]);
  });

  it("follows an answer without a spend", async () => {
    gate.world.hasTenant();
    await forward();
    await gate.world.untilQuiet();
    expect(reads()).toHaveLength(1);
  });
});

describe("a refusal by LiteLLM's own budget", () => {
  const refusal = () => aModelAnswer({ status: 400, budgetRefusal: "Budget has been exceeded!" });

  it("returns a refusal with the tenant's verdict, and queues a hint at once", async () => {
    gate.world.hasTenant();
    gate.models.next = refusal();
    const { outcome } = await forward();
    expect(outcome).toMatchObject({
      kind: "refused_by_litellm",
      why: "Budget has been exceeded!",
      verdict: {
        tenantId: ACME,
        allowed: false,
        state: "blocked",
        reason: "over_grace",
        spend: { spendNanoUsd: expect.anything() },
      },
    });
    await gate.world.untilQuiet();
    expect(gate.world.queue.sent).toEqual([
      { message: expect.objectContaining({ kind: "calls", key_hash: hashOf("a"), spend: null }), delaySeconds: 0 },
    ]);
  });

  it("returns the same refusal when its body has been read to the end", async () => {
    gate.world.hasTenant();
    gate.models.next = aModelAnswer({ status: 429, budgetRefusal: "Budget has been exceeded!", body: null });
    expect((await forward()).outcome).toMatchObject({ kind: "refused_by_litellm", why: "Budget has been exceeded!" });
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
    gate.world.kv.tenantsOfKeys.set(hashOf("a"), ACME);
    gate.models.next = refusal();
    await forward();
    expect(reports()[0]?.message).toMatchObject({ team_id: "team-1", spend: null });
  });
});
