// The simulator's controls of its outgoing requests: setting receivers at run time, the log of sent requests, and the
// test alert.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type Client, clientOf, hashOf, send } from "./support.ts";

let litellm: Litellm;
let client: Client;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0 });
  client = clientOf(litellm);
});
afterEach(async () => {
  await litellm.stop();
  await receiver.stop();
});

const control = (method: string, path: string, body?: unknown) => send(`${litellm.url}/_sim/${path}`, method, {}, body);

describe("the receivers", () => {
  it("connects and disconnects each receiver over HTTP without touching the others", async () => {
    const key = await client.newKey({ max_budget: 1 });
    litellm.setSpend(key, 1);
    await control("POST", "connect", { webhook: { url: receiver.url, budgetAlertTtlMs: 0 } });
    await control("POST", "connect", { events: { url: receiver.url, token: "t" } });
    await client.chat(key);
    await litellm.settled();
    await control("POST", "flush-events");
    const kinds = async () => (await control("GET", "sent")).body.sent.map(({ kind }: { kind: string }) => kind);
    expect(await kinds()).toEqual(["webhook", "events"]);
    await control("DELETE", "sent");
    await control("POST", "connect", { webhook: null });
    await client.chat(key);
    await litellm.settled();
    await control("POST", "flush-events");
    expect(await kinds()).toEqual(["events"]);
  });

  it("asks a connected guardrail before each call", async () => {
    await control("POST", "connect", { guardrail: { url: receiver.url, token: "t" } });
    receiver.answer = () => ({ body: JSON.stringify({ action: "BLOCKED" }) });
    expect((await client.chat(await client.newKey())).status).toBe(500);
  });

  it.each([
    { webhooks: { url: "http://127.0.0.1:1" } },
    { webhook: {} },
    { events: { url: "http://127.0.0.1:1" } },
    { webhook: { url: "http://127.0.0.1:1", copies: "3" } },
    { webhook: { url: "http://127.0.0.1:1", delayMs: { min: 1 } } },
  ])("refuses invalid receivers: %j", async (receivers) => {
    expect((await control("POST", "connect", receivers)).status).toBeGreaterThanOrEqual(400);
  });

  it("draws copies and delays from a range set over HTTP", async () => {
    const faults = { copies: { min: 2, max: 2 }, delayMs: { min: 0, max: 5 } };
    await control("POST", "connect", { webhook: { url: receiver.url, ...faults } });
    await client.chat(await client.newKey(), { body: { user: "customer-7" } });
    await litellm.settled();
    expect(receiver.received).toHaveLength(2);
  });
});

describe("the log of what was sent", () => {
  it("records subject, answer and time of each request, and no secret", async () => {
    const key = await client.newKey({ max_budget: 1 });
    litellm.setSpend(key, 1);
    litellm.connect({ webhook: { url: `${receiver.url}/token-in-the-path` } });
    receiver.answer = () => ({ status: 401 });
    await client.chat(key);
    await litellm.settled();
    const one = { kind: "webhook", event: "budget_crossed", subject: hashOf(key), status: 401, at: expect.any(Number) };
    expect(litellm.sent()).toEqual([one]);
    litellm.clearSent();
    expect(litellm.sent()).toEqual([]);
  });
});

describe("the test alert", () => {
  const ask = (key?: string) => client.call("GET", "/health/services?service=webhook", undefined, key);

  it("sends a crossed budget of 0 with a spend of 1 before the admin is answered", async () => {
    litellm.connect({ webhook: { url: receiver.url } });
    expect(await ask()).toMatchObject({ status: 200, body: null });
    const [{ json } = { json: null }] = receiver.received;
    expect(json).toMatchObject({ event: "budget_crossed", event_group: "key", spend: 1, max_budget: 0 });
    expect([json.token, json.user_id]).toEqual([hashOf(litellm.masterKey), "default_user_id"]);
  });

  it("sends a test alert for an admin only", async () => {
    litellm.connect({ webhook: { url: receiver.url } });
    expect((await ask(await client.newKey())).status).toBe(401);
    expect(receiver.received).toEqual([]);
  });

  it("answers 500 for a test alert that no receiver takes", async () => {
    litellm.connect({ webhook: { url: receiver.url } });
    receiver.answer = () => ({ status: 500 });
    expect((await ask()).status).toBe(500);
  });
});
