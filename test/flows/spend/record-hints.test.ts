// Stock webhooks are unsigned, so they are hints: LiteLLM's answer counts, and when it is read.

import { describe, expect, it } from "vitest";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../../support/fakes/fake-litellm.ts";
import { VirtualTimers } from "../../support/fakes/virtual-timers.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const HOUR = 60 * MINUTE;
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, pass, notices, spendOf } = useSpendWorld();

/** Delivers the one scheduled read when it is due. */
async function comeDue() {
  const [due] = deps.spendQueue.sent.splice(0);
  if (due === undefined) throw new Error("no read is scheduled");
  pass((due.delaySeconds ?? 0) * SECOND);
  await deliver(due.message);
}

describe("a stock webhook", () => {
  const stock = (differences = {}) =>
    aWebhook(key, "560", { auth: "url_token", event: "budget_crossed", ...differences });

  it("counts as a hint: LiteLLM's answer counts and its own spend does not", async () => {
    world.litellm.setSpend(key, 410);
    await deliver(stock());
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("410"), source: "litellm" });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("reads again after 25 s and after 60 s, then drops the hint when no read shows its spend", async () => {
    await deliver(stock());
    for (const delaySeconds of [25, 35]) {
      expect(deps.spendQueue.sent).toMatchObject([
        { message: { reason: "recheck-20s", hinted_at: NOW, announced: "560" }, delaySeconds },
      ]);
      await comeDue();
    }
    expect(deps.spendQueue.sent).toEqual([]);
    expect(deps.log.lines.filter((line) => line.startsWith("info hint dropped"))).toHaveLength(1);
  });

  it("stays open when its read shows a rise, but not yet the spend that it announced", async () => {
    world.litellm.setSpend(key, 390);
    await deliver(stock({ spend: "420" }));
    expect(await notices()).toEqual([]);
    world.litellm.setSpend(key, 420);
    await comeDue();
    expect(await notices()).toEqual(["threshold_crossed"]);
    expect(deps.spendQueue.sent).toEqual([]);
  });

  it("causes one more read when it states no spend, and LiteLLM's database may be late", async () => {
    await deliver(stock({ spend: null }));
    world.litellm.setSpend(key, 560);
    await comeDue();
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(deps.spendQueue.sent.filter(({ message }) => message.kind === "read_due")).toEqual([]);
  });

  it("has reads of its own when it comes within the five seconds of an earlier one", async () => {
    await deliver(stock());
    pass(4 * SECOND);
    await deliver(stock({ received_at: world.now, spend: "570" }));
    expect(deps.spendQueue.sent.map(({ message }) => "hinted_at" in message && message.hinted_at)).toEqual([
      NOW,
      NOW + 5 * SECOND,
    ]);
    deps.spendQueue.sent.shift();
    // Due five seconds after the last read, then 25 s after the second hint: the first hint's reads are none of them.
    await comeDue();
    world.litellm.setSpend(key, 570);
    await comeDue();
    expect(world.now).toBe(NOW + 30 * SECOND);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("570") });
  });

  it("reads a tenant without spend at once", async () => {
    await world.db.query("delete from tenant_spend");
    world.litellm.setSpend(key, 410);
    await deliver(stock());
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("410") });
  });

  it("takes the rechecks of the release before as hints of half a minute ago", async () => {
    world.litellm.setSpend(key, 560);
    const recheck = { kind: "read_due", tenant_id: "acme", subject_id: key } as const;
    await deliver({ ...recheck, reason: "recheck-20s" }, { ...recheck, reason: "recheck-60s" });
    expect(await notices()).toEqual(["budget_blocked"]);
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
    await deliver(stock({ received_at: world.now }));
    expect(world.litellm.requests()).toHaveLength(2);
  });

  it("retries while LiteLLM is away, and keeps the observations of the same batch", async () => {
    await world.litellm.stop();
    await deliver(stock(), aCall(key, "400"));
    expect(await notices()).toEqual(["threshold_crossed"]);
    expect(deps.spendQueue.sent.map(({ message }) => ("reason" in message ? message.reason : ""))).toContain(
      "recheck-20s",
    );
  });

  it("keeps its reads every minute while LiteLLM is away, until LiteLLM answers", async () => {
    await world.litellm.stop();
    await deliver(stock());
    for (const delaySeconds of [25, 35, 60, 60]) {
      expect(deps.spendQueue.sent).toMatchObject([{ message: { reason: "recheck-20s" }, delaySeconds }]);
      await comeDue();
    }
    const back = new FakeLiteLlm(new VirtualTimers(), () => world.now);
    back.has(aLiteLlmRow({ subject: { kind: "key", id: key }, spendNanoUsd: usd("560"), begunAt: world.now }));
    deps.litellm = back;
    await comeDue();
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(deps.spendQueue.sent.filter(({ message }) => message.kind === "read_due")).toEqual([]);
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
