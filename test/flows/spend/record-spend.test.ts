// LiteLLM's reports, recorded on a real Postgres: spend, alerts with their deliveries and audit, snapshots, notices.

import { describe, expect, it } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { callsMessage, type QueuedCall, type SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { anActor, hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const HOUR = 60 * MINUTE;
const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, hear, alerts, notices, spendOf } = useSpendWorld();

const actions = async () =>
  (await world.db.query<{ action: string }>("select action from audit_log order by id"))
    .map(({ action }) => action)
    .filter((action) => !action.startsWith("tenant_"));

describe("a signed webhook", () => {
  it("W4: stores the alert at 80 percent, writes the audit and queues a notice for each channel", async () => {
    await hear("400");
    expect(await alerts()).toEqual([{ event_type: "threshold_crossed", silent: false, occurrence: 0, spend: 400 }]);
    expect(await actions()).toEqual(["webhook_received", "alert_recorded"]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: usd("400"), source: "litellm" });
  });

  it("W1: announces only the critical alert at 100 percent", async () => {
    await hear("500", { event: "threshold_crossed" });
    expect(await notices()).toEqual(["budget_crossed"]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("E3: goes on tracking spend at 105 percent", async () => {
    await hear("525");
    await hear("530");
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("530") });
    expect(await notices()).toEqual(["budget_crossed"]);
  });

  it("E5: records one alert when a webhook arrives three times within milliseconds", async () => {
    world.litellm.setSpend(key, 400);
    await deliver(aWebhook(key, "400"), aWebhook(key, "400"));
    await hear("400");
    expect(await alerts()).toHaveLength(1);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("N1: skips a repeated threshold within the hour, and announces it again after the hour", async () => {
    await hear("400");
    world.now = NOW + HOUR - 1;
    await hear("400");
    expect(await notices()).toHaveLength(1);
    world.now = NOW + HOUR;
    await hear("400");
    expect(await notices()).toEqual(["threshold_crossed", "threshold_crossed"]);
    expect(deps.noticeQueue.sent).toHaveLength(4);
  });

  it("ends in the same spend and the same alerts in any order", async () => {
    world.litellm.setSpend(key, 560);
    await deliver(aWebhook(key, "560"), aWebhook(key, "400"));
    await deliver(aWebhook(key, "510"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560") });
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(await alerts()).toHaveLength(3);
  });

  it("records spend without an alert below every threshold, and needs no confirmation", async () => {
    await hear("399.99");
    expect(await alerts()).toEqual([]);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("399.99") });
    expect(deps.spendQueue.sent).toMatchObject([{ message: { reason: "recheck-20s" }, delaySeconds: 25 }]);
  });
});

describe("counted calls", () => {
  it("reads until two reads, a minute apart, have shown that the spend is wrong: it falls, and the block is resolved", async () => {
    await deliver(aCall(key, "560"));
    const [confirmation] = deps.spendQueue.sent.splice(0);
    expect(confirmation).toMatchObject({ message: { kind: "read_due", reason: "confirm" }, delaySeconds: 25 });
    world.now = NOW + 25 * SECOND;
    await deliver(confirmation?.message as SpendMessage);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560") });
    const [proof] = deps.spendQueue.sent.splice(0);
    expect(proof).toMatchObject({ message: { kind: "read_due", reason: "confirm" }, delaySeconds: 61 });
    world.now = NOW + 86 * SECOND;
    await deliver(proof?.message as SpendMessage);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, source: "litellm" });
    expect(await notices()).toEqual(["budget_blocked", "budget_resolved"]);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: 0n });
    expect(deps.spendQueue.sent).toEqual([]);
  });
});

describe("attribution", () => {
  it.each([
    ["an unknown key", aWebhook(hashOf("f"), "400")],
    ["a team that is not a tenant", aWebhook(null, "400", { event_group: "team", team_id: "t1" })],
    ["a group that has no tenants", aWebhook(key, "400", { event_group: "proxy" })],
    ["an unknown group", aWebhook(key, "400", { event_group: "galaxy\u0000" })],
    ["a user that is not a tenant", aWebhook(key, "400", { event_group: "user", user_id: "nobody" })],
  ])("%s is audited as unmatched", async (_, message) => {
    await deliver(message);
    expect(await actions()).toEqual(["webhook_unmatched"]);
    expect(await alerts()).toEqual([]);
  });

  it("treats a user named like a tenant as a hint, signed or not", async () => {
    await deliver(aWebhook(null, "560", { event_group: "user", user_id: "acme" }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, source: "litellm" });
    expect(await alerts()).toEqual([]);
  });

  it("treats single costs as a hint, and one audit line sums them up", async () => {
    const cost = aWebhook(key, "0.3", { event: "spend_tracked", event_group: "end_user" });
    await deliver(cost, cost, cost);
    expect(await actions()).toEqual(["spend_tracked"]);
    const [{ detail } = { detail: null }] = await world.db.query(
      "select detail from audit_log where action = 'spend_tracked'",
    );
    expect(detail).toMatchObject({ count: 3, cost: "0.9" });
    expect((await spendOf())?.source).toBe("litellm");
  });
});

it("never takes a single cost as spend, not even of the tenant's own key", async () => {
  await deliver(aWebhook(key, "560", { event: "spend_tracked" }));
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
  expect(await alerts()).toEqual([]);
});

describe("an alert", () => {
  it("N4: leaves a preview in the log when there is no channel", async () => {
    await world.db.query("delete from notification_channels");
    await hear("400");
    expect(await notices()).toEqual(["threshold_crossed"]);
    expect(deps.log.lines.join()).toContain("notice preview");
  });

  it("survives a queue that refuses: the messages are redelivered, and the notices go out once", async () => {
    deps.noticeQueue.isAway = true;
    const incoming = [incomingOf(aCall(key, "400"))];
    expect(await recordSpend({ incoming, now: NOW }, deps)).toEqual(new Set(incoming));
    deps.noticeQueue.isAway = false;
    const again = incoming.map((each) => ({ ...each, isRedelivery: true }));
    expect(await recordSpend({ incoming: again, now: NOW }, deps)).toEqual(new Set());
    expect(deps.noticeQueue.sent).toHaveLength(2);
    expect(await alerts()).toHaveLength(1);
  });

  it("records and sends an alert while Redis is away", async () => {
    deps.claims.isAway = true;
    await deliver(aCall(key, "560"), aWebhook(key, null, { auth: "url_token" }));
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(deps.spendQueue.sent.length).toBeGreaterThan(0);
  });

  it("sends one tenant's alert when another tenant's fails", async () => {
    const other = ownKeyInput({ tenantId: idOf("globex") });
    const hash = sha256("sk-other");
    const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: hash } as const;
    await createTenant({ ...other, origin }, deps);
    const record = deps.alerts.record.bind(deps.alerts);
    deps.alerts = { ...deps.alerts, record: (entry) => (entry.tenantId === "globex" ? fail() : record(entry)) };
    const incoming = [incomingOf(aCall(hash, "400")), incomingOf(aCall(key, "400"), { messageId: "m2" })];
    const failed = await recordSpend({ incoming, now: NOW }, deps);
    expect([...failed]).toEqual([incoming[0]]);
    expect(await notices()).toEqual(["threshold_crossed"]);
  });
});

it("loses no message of a tenant that shares a message with one that fails", async () => {
  const other = sha256("sk-other");
  const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: other } as const;
  await createTenant({ ...ownKeyInput({ tenantId: idOf("globex") }), origin }, deps);
  await deps.tenants.change(idOf("globex"), { maxBudgetNanoUsd: usd("1") }, anActor());
  await deliver(aCall(other, "0.9"));
  await deps.tenants.change(idOf("globex"), { maxBudgetNanoUsd: usd("1.1") }, anActor());
  const record = deps.alerts.record.bind(deps.alerts);
  deps.alerts = { ...deps.alerts, record: (entry) => (entry.tenantId === "globex" ? fail() : record(entry)) };
  const shared = callsMessage({ calls: [queued(aCall(key, "1")), queued(aCall(other, "2"))], hints: [] }, NOW);
  const incoming = [incomingOf(shared), incomingOf(aCall(key, "559"), { messageId: "m2" })];
  const failed = await recordSpend({ incoming, now: NOW }, deps);
  expect([...failed]).toEqual([incoming[0]]);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560") });
  expect((await notices()).at(-1)).toBe("budget_blocked");
});

const queued = (message: SpendMessage): QueuedCall => {
  if (message.kind !== "calls" || !("calls" in message) || message.calls[0] === undefined) throw new Error("no call");
  return message.calls[0];
};

const fail = (): Promise<never> => Promise.reject(new Error("broken on purpose"));

describe("snapshots", () => {
  it("writes at once when the state changes, else after 1 percent or 15 s", async () => {
    const written: string[] = [];
    const write = deps.snapshots.writeSpend.bind(deps.snapshots);
    deps.snapshots.writeSpend = (config, record) => {
      written.push(String(record.spendNanoUsd / 10n ** 9n));
      return write(config, record);
    };
    for (const [cost, seconds] of [
      ["100", 0],
      ["1", 1],
      ["3", 2],
      ["5", 3],
      ["1", 4],
      ["1", 20],
      ["289", 21],
    ] as const) {
      world.now = NOW + seconds * SECOND;
      await deliver(aCall(key, cost));
    }
    expect(written).toEqual(["100", "109", "111", "400"]);
  });
});
