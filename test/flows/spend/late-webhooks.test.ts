// What a signed webhook may do by itself: nothing, unless LiteLLM cannot be read for a minute. So no webhook of an
// earlier period blocks a new one, however often it is delivered.

import { beforeEach, describe, expect, it } from "vitest";
import { resetTenant } from "../../../src/flows/tenants/reset-tenant.ts";
import { MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, pass, notices, spendOf } = useSpendWorld();

/** Signed by Standard Webhooks, which sign an id and the time. */
const signed = (sentAt: number, differences = {}) =>
  aWebhook(key, "560", {
    event: "budget_crossed",
    webhook_id: "msg_1",
    sent_at: sentAt,
    received_at: world.now,
    ...differences,
  });

/** Delivers each scheduled read when it is due, for two minutes. */
async function twoMinutes() {
  const end = world.now + 2 * MINUTE;
  for (;;) {
    const [due] = deps.spendQueue.sent.splice(0);
    const dueAt = world.now + (due?.delaySeconds ?? 0) * SECOND;
    if (due === undefined || dueAt > end) break;
    pass(dueAt - world.now);
    await deliver(due.message);
  }
}

describe("a webhook of the period before a reset", () => {
  beforeEach(async () => {
    world.litellm.setSpend(key, 560);
    await deliver(signed(NOW));
    expect(await notices()).toEqual(["budget_blocked"]);
    pass(MINUTE);
    await resetTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);
    deps.spendQueue.sent.length = 0;
  });
  const announced = ["budget_blocked", "budget_reset", "budget_resolved"];

  it("does not block the new period, however often it is delivered again", async () => {
    for (let copies = 0; copies < 6; copies++) {
      pass(50 * SECOND);
      await deliver(signed(NOW));
    }
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, source: "litellm" });
    expect(await notices()).toEqual(announced);
  });

  it("does not block the new period even while LiteLLM cannot be read", async () => {
    pass(3 * MINUTE);
    await world.litellm.stop();
    await deliver(signed(NOW));
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
    expect(await notices()).toEqual(announced);
  });
});

describe("while LiteLLM cannot be read", () => {
  beforeEach(() => world.litellm.stop());

  it("counts the amount of a webhook after a minute, as a lower bound", async () => {
    await deliver(signed(NOW));
    expect(await notices()).toEqual([]);
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560"), source: "webhook" });
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: usd("560") });
  });

  it("counts nothing when LiteLLM was read meanwhile and did not show the amount", async () => {
    await world.litellm.restart();
    world.litellm.setSpend(key, 390);
    await deliver(signed(NOW));
    await deliver(signed(NOW, { webhook_id: "msg_2" }));
    await world.litellm.stop();
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("390") });
    expect(await notices()).toEqual([]);
  });

  it("counts the amount for a tenant without any spend", async () => {
    await world.db.query("delete from tenant_spend");
    await deliver(signed(NOW));
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560"), source: "webhook" });
  });

  it("counts nothing for a tenant that is deleted meanwhile", async () => {
    const { count } = deps.spendBatches;
    const countCallsOnly: typeof count = (entry, now) =>
      entry.bounds.length > 0 ? Promise.resolve(new Map()) : count(entry, now);
    deps.spendBatches = { ...deps.spendBatches, count: countCallsOnly };
    await deliver(signed(NOW));
    await twoMinutes();
    expect(await notices()).toEqual([]);
  });

  it.each([
    ["has no verified time", { webhook_id: null }],
    ["is not signed", { auth: "url_token" as const }],
    ["states no spend", { spend: null }],
    ["was sent before the period", { sent_at: NOW - 2 * MINUTE }],
  ])("counts nothing of a webhook that %s", async (_, differences) => {
    await deliver(signed(NOW, differences));
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
    expect(await notices()).toEqual([]);
  });

  it("counts nothing once the period has ended by the clock", async () => {
    world.now = RESET - 30 * SECOND;
    await deliver(signed(world.now));
    await twoMinutes();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
    expect(await notices()).toEqual([]);
  });
});
