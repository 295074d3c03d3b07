// What LiteLLM reports, recorded on a real Postgres: figures, alerts with their deliveries and audit, snapshots, notices.

import { beforeEach, describe, expect, it } from "vitest";
import { createTenant } from "../../src/flows/create-tenant.ts";
import { recordSpend } from "../../src/flows/record-spend.ts";
import type { SpendMessage } from "../../src/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../budget/builders.ts";
import { ownKeyInput, useAdminWorld } from "../support/admin-world.ts";
import { hashOf, idOf, incomingOf } from "../support/builders.ts";
import { aWebhook, someCalls } from "../support/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../support/virtual-key.ts";

const HOUR = 60 * MINUTE;
const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps } = useAdminWorld();

/** $500, with a Slack channel of its own and an e-mail channel of the platform. */
beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  await world.db.query("delete from notification_channels");
  await world.db.query(`insert into notification_channels (id, tenant_id, kind, name, sealed_target, enabled) values
    ('11111111-1111-4111-8111-111111111111', 'acme', 'slack', 'ours', 's', true),
    ('22222222-2222-4222-8222-222222222222', null, 'email', 'platform', 's', true),
    ('33333333-3333-4333-8333-333333333333', 'acme', 'webhook', 'off', 's', false)`);
  deps.spendQueue.sent.length = 0;
});

let delivered = 0;

/** Delivers one batch. @throws when any message of it would come again. */
async function deliver(...messages: SpendMessage[]): Promise<void> {
  const incoming = messages.map((each) => incomingOf(each, { messageId: `m${delivered++}` }));
  const failed = await recordSpend({ incoming, now: world.now }, deps);
  if (failed.size > 0) throw new Error(deps.log.lines.join("\n"));
}

const alerts = () =>
  world.db.query<{ event_type: string; silent: boolean; occurrence: number; spend: string }>(
    "select event_type, silent, occurrence, spend::float8 as spend from budget_alert_history order by created_at, threshold",
  );
const told = async () => (await alerts()).filter(({ silent }) => !silent).map(({ event_type: event }) => event);
const actions = async () =>
  (await world.db.query<{ action: string }>("select action from audit_log order by id"))
    .map(({ action }) => action)
    .filter((action) => !action.startsWith("tenant_"));
const spendOf = async () => (await deps.tenants.load(acme))?.spend ?? null;

describe("a signed webhook", () => {
  it("W4: at 80 percent stores the alert, writes the audit and puts a notice for each channel on the queue", async () => {
    await deliver(aWebhook(key, "400"));
    expect(await alerts()).toEqual([{ event_type: "threshold_crossed", silent: false, occurrence: 0, spend: 400 }]);
    expect(await actions()).toEqual(["webhook_received", "alert_recorded"]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: usd("400"), source: "webhook" });
  });

  it("W1: at 100 percent tells the critical one only", async () => {
    await deliver(aWebhook(key, "500", { event: "threshold_crossed" }));
    expect(await told()).toEqual(["budget_crossed"]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("E3: at 105 percent spend goes on being tracked", async () => {
    await deliver(aWebhook(key, "525"));
    await deliver(aWebhook(key, "530"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("530") });
    expect(await told()).toEqual(["budget_crossed"]);
  });

  it("E5: comes three times within milliseconds and is one alert", async () => {
    await deliver(aWebhook(key, "400"), aWebhook(key, "400"));
    await deliver(aWebhook(key, "400"));
    expect(await alerts()).toHaveLength(1);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("N1: of the same threshold within the hour is skipped, after the hour it is told again", async () => {
    await deliver(aWebhook(key, "400"));
    world.now = NOW + HOUR - 1;
    await deliver(aWebhook(key, "400", { received_at: world.now, sent_at: world.now }));
    expect(await told()).toHaveLength(1);
    world.now = NOW + HOUR;
    await deliver(aWebhook(key, "400", { received_at: world.now, sent_at: world.now }));
    expect(await told()).toEqual(["threshold_crossed", "threshold_crossed"]);
    expect(deps.noticeQueue.sent).toHaveLength(4);
  });

  it("in any order ends in the same figure and the same alerts", async () => {
    await deliver(aWebhook(key, "560"), aWebhook(key, "400"));
    await deliver(aWebhook(key, "510"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560") });
    expect(await told()).toEqual(["budget_blocked"]);
    expect(await alerts()).toHaveLength(3);
  });

  it("is confirmed by a read 60 s later, which takes a false figure back and tells that the block is over", async () => {
    await deliver(aWebhook(key, "560"));
    const [confirmation] = deps.spendQueue.sent;
    expect(confirmation).toMatchObject({ message: { kind: "read_due", lane: "confirmation" }, delaySeconds: 60 });
    world.now = NOW + 61 * SECOND;
    await deliver(confirmation?.message as SpendMessage);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, source: "litellm" });
    expect(await told()).toEqual(["budget_blocked", "budget_resolved"]);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: 0n });
  });

  it("below every threshold is a figure and no alert, and needs no confirmation", async () => {
    await deliver(aWebhook(key, "399.99"));
    expect(await alerts()).toEqual([]);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("399.99") });
    expect(deps.spendQueue.sent).toEqual([]);
  });
});

describe("a stock webhook", () => {
  const stock = (differences = {}) =>
    aWebhook(key, "560", { door: "url_token", event: "budget_crossed", ...differences });

  it("is a hint: its figure counts for nothing, what LiteLLM answers does", async () => {
    world.litellm.setSpend(key, 410);
    await deliver(stock());
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("410"), source: "litellm" });
    expect(await told()).toEqual(["threshold_crossed"]);
  });

  it("that no read confirms is looked into after 20 s and after 60 s, then dropped", async () => {
    await deliver(stock());
    expect(deps.spendQueue.sent).toMatchObject([{ message: { lane: "hint-1" }, delaySeconds: 20 }]);
    for (const [lane, next] of [
      ["hint-1", "hint-2"],
      ["hint-2", null],
    ] as const) {
      const { message } = deps.spendQueue.sent.pop() ?? {};
      expect(message).toMatchObject({ kind: "read_due", lane });
      await deliver(message as SpendMessage);
      expect(deps.spendQueue.sent.map(({ message: each }) => ("lane" in each ? each.lane : each.kind))).toEqual(
        next === null ? [] : [next],
      );
    }
  });

  it("finds spend that LiteLLM's database has late", async () => {
    await deliver(stock());
    world.litellm.setSpend(key, 560);
    const { message } = deps.spendQueue.sent[0] ?? {};
    await deliver(message as SpendMessage);
    expect(await told()).toEqual(["budget_blocked"]);
  });

  it("in a flood is one read in five seconds", async () => {
    world.litellm.clearRequests();
    await deliver(stock(), stock(), stock());
    await deliver(stock());
    expect(world.litellm.requests()).toHaveLength(1);
  });

  it("in a flood is one read in five seconds of an isolate, when Redis cannot say what others do", async () => {
    deps.claims.isAway = true;
    world.litellm.clearRequests();
    await deliver(stock());
    await deliver(stock());
    world.now = NOW + 5 * SECOND;
    await deliver(stock());
    expect(world.litellm.requests()).toHaveLength(2);
  });

  it("is retried while LiteLLM is away, and loses no figure of the same batch", async () => {
    await world.litellm.stop();
    await deliver(stock(), aWebhook(key, "400"));
    expect(await told()).toEqual(["threshold_crossed"]);
    expect(deps.spendQueue.sent.map(({ message }) => ("lane" in message ? message.lane : ""))).toContain("hint-1");
  });

  it("N1: repeats the block after an hour, and never within it", async () => {
    world.litellm.setSpend(key, 560);
    await deliver(stock());
    expect(await told()).toEqual(["budget_blocked"]);
    world.now = NOW + HOUR;
    await deliver(stock({ received_at: NOW + HOUR - 1 }));
    expect(await told()).toHaveLength(1);
    await deliver(stock({ received_at: NOW + HOUR }));
    expect(await told()).toEqual(["budget_blocked", "budget_blocked"]);
  });
});

describe("calls", () => {
  const first = { resets_at: null } as const;

  it("raise the figure by their maximum, never by their sum", async () => {
    const end = (await deps.tenants.load(acme))?.config.budgetResetAt ?? null;
    await deliver(someCalls(key, "300", { resets_at: end }), someCalls(key, "400", { resets_at: end }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("400"), source: "events" });
    expect(await told()).toEqual(["threshold_crossed"]);
  });

  it("of another period count for nothing, but it is time to read", async () => {
    world.litellm.setSpend(key, 7);
    await deliver(someCalls(key, "560", first));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7"), source: "litellm" });
    expect(await alerts()).toEqual([]);
  });

  it("are no matter of the audit", async () => {
    await deliver(someCalls(key, "1"));
    expect(await actions()).toEqual([]);
  });
});

describe("attribution", () => {
  it.each([
    ["an unknown key", aWebhook(hashOf("f"), "400")],
    ["a team that is no tenant's", aWebhook(null, "400", { event_group: "team", team_id: "t1" })],
    ["a group that no tenant is", aWebhook(key, "400", { event_group: "proxy" })],
    ["a group of the future", aWebhook(key, "400", { event_group: "galaxy\u0000" })],
    ["a user that is no tenant", aWebhook(key, "400", { event_group: "user", user_id: "nobody" })],
  ])("%s is audited as unmatched", async (_, message) => {
    await deliver(message);
    expect(await actions()).toEqual(["webhook_unmatched"]);
    expect(await alerts()).toEqual([]);
  });

  it("a user named like a tenant is a hint, whoever signed it", async () => {
    await deliver(aWebhook(null, "560", { event_group: "user", user_id: "acme" }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, source: "litellm" });
    expect(await alerts()).toEqual([]);
  });

  it("single costs are a hint and one line of the audit for all of a batch", async () => {
    const cost = aWebhook(key, "0.3", { event: "spend_tracked", event_group: "end_user" });
    await deliver(cost, cost, cost);
    expect(await actions()).toEqual(["spend_tracked"]);
    const [{ detail } = { detail: null }] = await world.db.query(
      "select detail from audit_log where source_id is not null",
    );
    expect(detail).toMatchObject({ count: 3 });
    expect((await spendOf())?.source).toBe("litellm");
  });
});

it("a single cost is never a figure, not even of the tenant's own key", async () => {
  await deliver(aWebhook(key, "560", { event: "spend_tracked" }));
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
  expect(await alerts()).toEqual([]);
});

describe("an adopted tenant", () => {
  const adopted = sha256("sk-adopted");
  const adopt = async (spend: number) => {
    await world.manage("POST", "/key/generate", { key: "sk-adopted", max_budget: 110, budget_duration: "30d" });
    world.litellm.setSpend(adopted, spend);
    const origin = { kind: "adopted", subject: { kind: "key", id: adopted } } as const;
    const settings = { maxBudgetNanoUsd: usd("100") };
    await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin, settings }), deps);
  };

  it("is taken as it is found: nobody is told of what was exceeded before", async () => {
    await adopt(85);
    await deliver(aWebhook(adopted, "86"));
    expect(await alerts()).toMatchObject([{ event_type: "threshold_crossed", silent: true, spend: 85 }]);
    expect(deps.noticeQueue.sent).toEqual([]);
  });

  it("has its first crossing told, even in the batch that brings the first word of it", async () => {
    await adopt(79);
    await deliver(aWebhook(adopted, "80"));
    expect(await told()).toEqual(["threshold_crossed"]);
  });

  it("is looked at soon after it was adopted, without a report", async () => {
    await adopt(120);
    const rewrite = deps.spendQueue.sent.find(
      ({ message }) => "tenant_id" in message && message.tenant_id === "globex",
    );
    await deliver(rewrite?.message as SpendMessage);
    expect((await alerts()).map(({ silent }) => silent)).toEqual([true, true, true]);
  });
});

describe("an alert", () => {
  it("N4: that no channel is for leaves a preview in the log", async () => {
    await world.db.query("delete from notification_channels");
    await deliver(aWebhook(key, "400"));
    expect(await told()).toEqual(["threshold_crossed"]);
    expect(deps.log.lines.join()).toContain("notice preview");
  });

  it("survives a queue that refuses: the messages come again, and then the notices go out once", async () => {
    deps.noticeQueue.isAway = true;
    const incoming = [incomingOf(aWebhook(key, "400"))];
    expect(await recordSpend({ incoming, now: NOW }, deps)).toEqual(new Set(incoming));
    deps.noticeQueue.isAway = false;
    const again = incoming.map((each) => ({ ...each, isRedelivery: true }));
    expect(await recordSpend({ incoming: again, now: NOW }, deps)).toEqual(new Set());
    expect(deps.noticeQueue.sent).toHaveLength(2);
    expect(await alerts()).toHaveLength(1);
  });

  it("is recorded and told while Redis is away", async () => {
    deps.claims.isAway = true;
    await deliver(aWebhook(key, "560"), aWebhook(key, null, { door: "url_token" }));
    expect(await told()).toEqual(["budget_blocked"]);
    expect(deps.spendQueue.sent.length).toBeGreaterThan(0);
  });

  it("of one tenant does not wait for another tenant's that fails", async () => {
    const other = ownKeyInput({ tenantId: idOf("globex") });
    const hash = hashOf("b");
    const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: hash } as const;
    await createTenant({ ...other, origin }, deps);
    const record = deps.alerts.record.bind(deps.alerts);
    deps.alerts = { ...deps.alerts, record: (entry) => (entry.tenantId === "globex" ? fail() : record(entry)) };
    const incoming = [incomingOf(aWebhook(hash, "400")), incomingOf(aWebhook(key, "400"), { messageId: "m2" })];
    const failed = await recordSpend({ incoming, now: NOW }, deps);
    expect([...failed]).toEqual([incoming[0]]);
    expect(await told()).toEqual(["threshold_crossed"]);
  });
});

const fail = (): Promise<never> => Promise.reject(new Error("broken on purpose"));

describe("snapshots", () => {
  it("are written at once when the state changes, else after 1 percent or 15 s", async () => {
    const written: string[] = [];
    const write = deps.snapshots.writeSpend.bind(deps.snapshots);
    deps.snapshots.writeSpend = (config, record) => {
      written.push(String(record.spendNanoUsd / 10n ** 9n));
      return write(config, record);
    };
    for (const [spend, seconds] of [
      ["100", 0],
      ["101", 1],
      ["104", 2],
      ["109", 3],
      ["110", 4],
      ["111", 20],
      ["400", 21],
    ] as const) {
      world.now = NOW + seconds * SECOND;
      await deliver(aWebhook(key, spend, { received_at: world.now }));
    }
    expect(written).toEqual(["100", "101", "109", "111", "400"]);
  });
});
