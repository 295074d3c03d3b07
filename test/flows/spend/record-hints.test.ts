// Stock webhooks are unsigned, so they are hints: LiteLLM's answer counts, and when it is read.

import { describe, expect, it } from "vitest";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../../support/fakes/fake-litellm.ts";
import { VirtualTimers } from "../../support/fakes/virtual-timers.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const HOUR = 60 * MINUTE;
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices, spendOf } = useSpendWorld();

describe("a stock webhook", () => {
  const stock = (differences = {}) =>
    aWebhook(key, "560", { auth: "url_token", event: "budget_crossed", ...differences });

  it("counts as a hint: LiteLLM's answer counts and its own spend does not", async () => {
    world.litellm.setSpend(key, 410);
    await deliver(stock());
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("410"), source: "litellm" });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("reads again after 20 s and after 60 s, then drops the hint when no read confirms it", async () => {
    await deliver(stock());
    expect(deps.spendQueue.sent).toMatchObject([{ message: { reason: "recheck-20s" }, delaySeconds: 20 }]);
    for (const [reason, next] of [
      ["recheck-20s", "recheck-60s"],
      ["recheck-60s", null],
    ] as const) {
      const { message } = deps.spendQueue.sent.pop() ?? {};
      expect(message).toMatchObject({ kind: "read_due", reason });
      await deliver(message as SpendMessage);
      expect(deps.spendQueue.sent.map(({ message: each }) => ("reason" in each ? each.reason : each.kind))).toEqual(
        next === null ? [] : [next],
      );
    }
  });

  it("finds spend that LiteLLM's database has late", async () => {
    await deliver(stock());
    world.litellm.setSpend(key, 560);
    const { message } = deps.spendQueue.sent[0] ?? {};
    await deliver(message as SpendMessage);
    expect(await notices()).toEqual(["budget_blocked"]);
  });

  it("confirms a tenant without spend by its first read", async () => {
    await world.db.query("delete from tenant_spend");
    world.litellm.setSpend(key, 410);
    await deliver(stock());
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("410") });
    expect(deps.spendQueue.sent.filter(({ message }) => message.kind === "read_due")).toEqual([]);
  });

  it("queues a sync when the read shows drift in LiteLLM", async () => {
    await world.manage("POST", "/key/update", { key, max_budget: 9_999 });
    await deliver(stock());
    expect(deps.spendQueue.sent.map(({ message }) => message)).toContainEqual({
      kind: "sync_litellm",
      tenant_id: "acme",
    });
    expect(deps.log.lines).toContain('warn litellm drifted {"tenant_id":"acme"}');
  });

  it("reads once in five seconds in a flood of hints", async () => {
    world.litellm.clearRequests();
    await deliver(stock(), stock(), stock());
    await deliver(stock());
    expect(world.litellm.requests()).toHaveLength(1);
  });

  it("reads once in five seconds per isolate when Redis does not answer", async () => {
    deps.claims.isAway = true;
    world.litellm.clearRequests();
    await deliver(stock());
    await deliver(stock());
    world.now = NOW + 5 * SECOND;
    await deliver(stock());
    expect(world.litellm.requests()).toHaveLength(2);
  });

  it("retries while LiteLLM is away, and keeps the observations of the same batch", async () => {
    await world.litellm.stop();
    await deliver(stock(), aWebhook(key, "400"));
    expect(await notices()).toEqual(["threshold_crossed"]);
    expect(deps.spendQueue.sent.map(({ message }) => ("reason" in message ? message.reason : ""))).toContain(
      "recheck-20s",
    );
  });

  it("keeps its reads every minute while LiteLLM is away, until LiteLLM answers", async () => {
    await world.litellm.stop();
    await deliver(stock());
    for (const reason of ["recheck-20s", "recheck-20s", "recheck-20s"]) {
      const { message } = deps.spendQueue.sent.pop() ?? {};
      expect(message).toMatchObject({ reason });
      world.now += MINUTE;
      await deliver(message as SpendMessage);
      expect(deps.spendQueue.sent).toMatchObject([{ message: { reason }, delaySeconds: 60 }]);
    }
    const { message } = deps.spendQueue.sent.pop() ?? {};
    const back = new FakeLiteLlm(new VirtualTimers(), () => world.now);
    back.has(aLiteLlmRow({ subject: { kind: "key", id: key }, spendNanoUsd: usd("560"), begunAt: world.now }));
    deps.litellm = back;
    await deliver(message as SpendMessage);
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(deps.spendQueue.sent).toEqual([]);
  });

  it("drops a hint for a key that LiteLLM no longer has, and notes the key as missing", async () => {
    await world.manage("POST", "/key/delete", { keys: [key] });
    await deliver(stock());
    expect(deps.spendQueue.sent.map(({ message }) => message.kind)).not.toContain("read_due");
    expect((await deps.tenants.load(idOf("acme")))?.config.subjectMissingAt).toBe(world.now);
  });

  it("reads and notifies although KV is away, and retries no message", async () => {
    world.litellm.setSpend(key, 560);
    deps.snapshots.isAway = true;
    await deliver(stock());
    expect(await notices()).toEqual(["budget_blocked"]);
  });

  it("N1: repeats the block after an hour, and never within it", async () => {
    world.litellm.setSpend(key, 560);
    await deliver(stock());
    expect(await notices()).toEqual(["budget_blocked"]);
    world.now = NOW + HOUR;
    await deliver(stock({ received_at: NOW + HOUR - 1 }));
    expect(await notices()).toHaveLength(1);
    await deliver(stock({ received_at: NOW + HOUR }));
    expect(await notices()).toEqual(["budget_blocked", "budget_blocked"]);
  });
});
