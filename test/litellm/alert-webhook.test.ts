// The alert webhook: which alerts a call causes, their content, and their repetition.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type Client, captured, clientOf, hashOf, typedShapeOf } from "./support.ts";

const DAY_MS = 86_400_000;
/** The first of a month: LiteLLM projects the key's spend of that day for the whole month. */
const FIRST_DAY = Date.UTC(2026, 10, 1, 12);

let now: number;
let litellm: Litellm;
let client: Client;
let receiver: Receiver;

async function start(options: Parameters<typeof startLitellm>[0] = {}): Promise<void> {
  const url = `${receiver.url}/hook`;
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, now: () => now, webhook: { url }, ...options });
  client = clientOf(litellm);
}

beforeEach(async () => {
  now = Date.now();
  receiver = await startReceiver();
});
afterEach(async () => {
  await litellm.stop();
  await receiver.stop();
});

/** Calls with a key that has this spend, and returns the webhooks that the call causes. */
async function callAt(key: string, spend: number) {
  litellm.setSpend(key, spend);
  receiver.received.length = 0;
  await client.chat(key, { cost: 0.0001 });
  await litellm.settled();
  return receiver.received.map(({ json }) => json);
}

describe("an alert", () => {
  it("has exactly the captured fields, in their order and of their types, and LiteLLM's own words", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1, soft_budget: 0.5, key_alias: "acme" });
    const alerts = await callAt(key, 0.9);
    const threshold = captured("webhook-threshold-crossed");
    const token = alerts.find(({ event_message }) => event_message === threshold.event_message);
    expect(typedShapeOf(token)).toEqual(typedShapeOf(threshold));
    expect([token.token, token.key_alias, token.event]).toEqual([hashOf(key), "acme", "threshold_crossed"]);
    expect(alerts.map(({ event_message }) => event_message)).toContain(
      "Soft Budget Crossed: Total Soft Budget:`0.5`15% Threshold Crossed",
    );
  });

  it("sends the webhook of a soft budget as captured", async () => {
    await start();
    const key = await client.newKey({ soft_budget: 0.5, max_budget: 1, key_alias: "acme" });
    const alerts = await callAt(key, 0.6);
    const captive = captured("webhook-soft-budget-crossed");
    expect(alerts.map((one) => typedShapeOf(one))).toContainEqual(typedShapeOf(captive));
    expect(alerts.map(({ event_message }) => event_message)).toContain(captive.event_message);
  });

  it("has LiteLLM's headers and no other", async () => {
    await start();
    await callAt(await client.newKey({ max_budget: 1 }), 1);
    expect(receiver.received[0]?.headers).toEqual({
      host: new URL(receiver.url).host,
      accept: "*/*",
      "accept-encoding": "gzip, deflate",
      connection: "keep-alive",
      "user-agent": "litellm/1.81.9",
      "content-type": "application/json",
      "content-length": String(receiver.received[0]?.text.length),
    });
    expect(receiver.received[0]?.path).toBe("/hook");
  });
});

describe("the level of a key", () => {
  it.each([
    [0.79, []],
    [0.84, []],
    [0.86, ["threshold_crossed 15% Threshold Crossed"]],
    [0.96, ["threshold_crossed 5% Threshold Crossed "]],
    [1, ["budget_crossed Budget Crossed\n Total Budget:`1.0`"]],
    [2, ["budget_crossed Budget Crossed\n Total Budget:`1.0`"]],
  ])("sends at %d of a budget of 1 %j", async (spend, expected) => {
    await start();
    const alerts = await callAt(await client.newKey({ max_budget: 1 }), spend);
    const levels = new Set(alerts.map((one) => `${one.event} ${one.event_message.replace("Key Budget: ", "")}`));
    expect([...levels]).toEqual(expected);
  });

  it("names the soft budget until 15 % of the hard one are left", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1, soft_budget: 0.5 });
    const events = async (spend: number) => [...new Set((await callAt(key, spend)).map(({ event }) => event))];
    expect(await events(0.5)).toContain("soft_budget_crossed");
    expect(await events(0.86)).toEqual(["threshold_crossed"]);
    expect(await events(1)).toEqual(["budget_crossed"]);
  });

  it("sends the crossed budget with the refused call, with the temporary increase included", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    const later = { temp_budget_increase: 1, temp_budget_expiry: "2099-12-31T00:00:00" };
    await client.call("POST", "/key/update", { key, ...later });
    expect(await callAt(key, 1.5)).toEqual([]);
    litellm.setSpend(key, 2);
    expect((await client.chat(key)).status).toBe(400);
    await litellm.settled();
    expect(receiver.received.map(({ json }) => json)).toMatchObject([{ event: "budget_crossed", max_budget: 2 }]);
  });

  it("sends nothing for a call that costs nothing", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    litellm.setSpend(key, 2);
    await client.chat(key, { cost: 0 });
    await litellm.settled();
    expect(receiver.received).toEqual([]);
  });
});

it("alerts on a team only beyond its budget, and never at 15 % or 5 %", async () => {
  await start();
  const { team_id } = (await client.call("POST", "/team/new", { max_budget: 5, team_alias: "red" })).body;
  const key = await client.newKey({ team_id });
  const events = async (spend: number) => {
    litellm.setSpend(team_id, spend);
    await client.chat(key, { cost: 0.0001 });
    await litellm.settled();
    return receiver.received.map(({ json }) => json);
  };
  expect(await events(4.9)).toEqual([]);
  expect(await events(5)).toEqual([]);
  const [alert] = await events(5.5);
  expect(alert).toMatchObject({ event: "budget_crossed", event_group: "team", spend: 5.5, max_budget: 5 });
  expect(alert).toMatchObject({ team_id, team_alias: "red", key_alias: null, token: hashOf(key) });
});

describe("a projection", () => {
  it("sends the projection when the month would end above the soft budget, unless the hard one comes first", async () => {
    now = FIRST_DAY;
    await start();
    const key = await client.newKey({ soft_budget: 10 });
    expect(await callAt(key, 0.3)).toEqual([]);
    const [alert] = await callAt(key, 0.5);
    expect(alert).toMatchObject({ event: "projected_limit_exceeded", event_group: "key", soft_budget: null });
    expect(alert.projected_spend).toBeCloseTo(0.5001 * 30, 9);
    expect(alert.projected_exceeded_date).toBe("2026-11-20");
    const tight = await client.newKey({ soft_budget: 10, max_budget: 0.55 });
    expect(new Set((await callAt(tight, 0.5)).map(({ event }) => event))).toEqual(new Set(["threshold_crossed"]));
  });
});

describe("the spend of an end user", () => {
  it("sends spend_tracked after each call that names an end user, with the cost of that call", async () => {
    await start();
    const key = await client.newKey({ key_alias: "acme3" });
    for (const cost of [0.25, 0.5]) await client.chat(key, { cost, body: { user: "customer-7" } });
    await client.chat(key, { cost: 1 });
    await litellm.settled();
    const alerts = receiver.received.map(({ json }) => json).toSorted((one, other) => one.spend - other.spend);
    expect(alerts.map(({ spend }) => spend)).toEqual([0.25, 0.5]);
    expect(alerts[0]).toMatchObject({ event: "spend_tracked", event_group: "end_user", customer_id: "customer-7" });
    expect(alerts[0]).toMatchObject({ token: hashOf(key), key_alias: "acme3", max_budget: null, user_id: null });
    expect(Object.keys(alerts[0])).toEqual(Object.keys(captured("webhook-threshold-crossed")));
  });
});

describe("an event of a key", () => {
  it("sends nothing again within the day, neither at 5 % after 15 % nor after a reset", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    expect(await callAt(key, 0.86)).not.toEqual([]);
    expect(await callAt(key, 0.96)).toEqual([]);
    expect(await callAt(key, 1)).toHaveLength(1);
    await callAt(key, 0);
    expect(await callAt(key, 1)).toEqual([]);
    now += DAY_MS;
    expect(await callAt(key, 1)).toHaveLength(1);
  });

  it("sends again after budget_alert_ttl, and after the proxy was restarted", async () => {
    await start({ webhook: { url: receiver.url, budgetAlertTtlMs: 60_000 } });
    const key = await client.newKey({ max_budget: 1 });
    expect(await callAt(key, 1)).toHaveLength(1);
    now += 59_999;
    expect(await callAt(key, 1)).toEqual([]);
    now += 1;
    expect(await callAt(key, 1)).toHaveLength(1);
    await litellm.stop();
    await litellm.restart();
    // A connection from before is found dead once.
    await vi.waitFor(() => client.call("GET", "/health/liveliness"), { timeout: 30_000 });
    expect(await callAt(key, 1)).toHaveLength(1);
  });

  it("sends several times for calls of the same moment, because the mark is read before and written after", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    litellm.setSpend(key, 1);
    const held = Promise.withResolvers<object>();
    receiver.answer = () => held.promise;
    await Promise.all([1, 2, 3].map(() => client.chat(key)));
    await vi.waitFor(() => expect(receiver.received).toHaveLength(3), { timeout: 30_000 });
    held.resolve({});
    await litellm.settled();
    expect(receiver.received).toHaveLength(3);
  });

  it.each([500, 404, 301])("sends again with the next call after an answer of %d, and by no timer", async (status) => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    receiver.answer = () => ({ status, headers: { location: receiver.url } });
    expect(await callAt(key, 1)).toHaveLength(1);
    expect(await callAt(key, 1)).toHaveLength(1);
    receiver.answer = () => ({ status: 204 });
    expect(await callAt(key, 1)).toHaveLength(1);
    expect(await callAt(key, 1)).toEqual([]);
  });

  it("sends again with the next call after a connection failed", async () => {
    await start();
    litellm.connect({ webhook: { url: "http://127.0.0.1:1/" } });
    const key = await client.newKey({ max_budget: 1 });
    await callAt(key, 1);
    expect(litellm.sent()).toMatchObject([{ kind: "webhook", status: null }]);
    litellm.connect({ webhook: { url: receiver.url } });
    expect(await callAt(key, 1)).toHaveLength(1);
  });
});

it("answers a call without waiting for its alerts", async () => {
  await start();
  const key = await client.newKey({ max_budget: 1 });
  litellm.setSpend(key, 0.9);
  receiver.answer = () => null;
  expect((await client.chat(key)).status).toBe(200);
});
