// Work on one tenant or alert of a batch never loses, delays or repeats work on another.

import { describe, expect, it } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, SECOND, usd } from "../../budget/builders.ts";
import { anActor, hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, hear, pass, alerts, notices } = useSpendWorld();

it("sends an alert without waiting for LiteLLM's answer about other tenants", async () => {
  const hashes = ["b", "c", "d", "e", "f"].map(hashOf);
  for (const [index, keyHash] of hashes.entries()) {
    const origin = { kind: "own_key", virtualKey: `sk-${index}`, keyHash } as const;
    await createTenant(ownKeyInput({ tenantId: idOf(`other-${index}`), origin }), deps);
  }
  world.now += MINUTE;
  const answers = Promise.withResolvers<never>();
  let asked = 0;
  const readSubject = () => {
    asked++;
    return answers.promise;
  };
  deps.litellm = { ...deps.litellm, readSubject };
  const hints = hashes.map((hash) => aWebhook(hash, null, { auth: "url_token", received_at: world.now }));
  const incoming = [...hints, aCall(key, "400")].map((each, index) => incomingOf(each, { messageId: `m${index}` }));
  const recording = recordSpend({ incoming, now: world.now }, deps);
  await expect.poll(() => asked, { timeout: MINUTE }).toBeGreaterThan(0);
  await expect.poll(notices, { timeout: MINUTE }).toEqual(["threshold_crossed"]);
  await expect.poll(() => deps.noticeQueue.sent, { timeout: MINUTE }).toHaveLength(2);
  answers.reject(new Error("broken on purpose"));
  expect((await recording).size).toBe(hints.length);
});

describe("a new limit and a jump in one batch", () => {
  const raise = () => deps.tenants.change(acme, { maxBudgetNanoUsd: usd("1000") }, anActor());

  it("announces the block under the new limit, because the old block ended in between", async () => {
    await hear("560");
    await raise();
    await hear("1150");
    expect(await notices()).toEqual(["budget_blocked", "budget_resolved", "budget_blocked"]);
    await hear("1151");
    expect(await notices()).toHaveLength(3);
  });

  it("suppresses a threshold that was announced and is still exceeded", async () => {
    await hear("560");
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("505") }, anActor());
    await hear("570");
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(await alerts()).toHaveLength(6);
  });
});

describe("KV", () => {
  it("gets a new config once, although it shows the old one for a minute", async () => {
    await hear("100");
    const old = await deps.snapshots.tenant(acme);
    deps.snapshots.tenant = async () => old;
    const written: number[] = [];
    const write = deps.snapshots.writeConfig.bind(deps.snapshots);
    deps.snapshots.writeConfig = (config) => {
      written.push(config.revision);
      return write(config);
    };
    const changed = await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("1000") }, anActor());
    world.litellm.setSpend(key, 200);
    await deliver(aWebhook(key, "200", { received_at: world.now }), { kind: "rewrite_config", tenant_id: "acme" });
    pass(6 * SECOND);
    await hear("300");
    expect(written).toEqual([changed?.config.revision]);
  });
});

describe("a confirm read", () => {
  const reasons = () =>
    deps.spendQueue.sent.map(({ message }) => ("reason" in message ? message.reason : message.kind));
  const comeDue = async () => {
    await deliver(aCall(key, "560"));
    const { message } = deps.spendQueue.sent.pop() ?? {};
    expect(message).toMatchObject({ reason: "confirm" });
    world.now += MINUTE;
    return message as SpendMessage;
  };

  it("repeats once when LiteLLM does not answer", async () => {
    const due = await comeDue();
    await world.litellm.stop();
    await deliver(due);
    expect(reasons()).toEqual(["confirm"]);
    expect(deps.spendQueue.sent[0]?.delaySeconds).toBe(60);
  });

  it("ends without a repetition when LiteLLM no longer has the key", async () => {
    const due = await comeDue();
    await world.manage("POST", "/key/delete", { keys: [key] });
    await deliver(due);
    // What is queued is the news that the key is missing.
    expect(reasons()).toEqual(["rewrite_config", "rewrite_config", "sync_litellm"]);
  });
});
