// The generic_api callback: the fields of a call, how LiteLLM batches calls, and that it sends a batch once.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { EventsReceiver } from "../../dev/litellm/outgoing/receivers.ts";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type Client, captured, clientOf, hashOf, send, typedShapeOf } from "./support.ts";

let litellm: Litellm;
let client: Client;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await litellm.stop();
  await receiver.stop();
});

async function start(events: Partial<EventsReceiver> = {}, options: Parameters<typeof startLitellm>[0] = {}) {
  const receiving = { url: `${receiver.url}/events`, token: "evt-secret", ...events };
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, events: receiving, ...options });
  client = clientOf(litellm);
}

async function flushed() {
  receiver.received.length = 0;
  await litellm.flushEvents();
  return receiver.received.flatMap(({ json }) => json);
}

/** Drops the caller's headers from the comparison, because another client sends other headers. */
function withoutClient(payload: { metadata: { requester_metadata: { headers: unknown } } }) {
  const requester_metadata = { headers: null };
  return { ...payload, metadata: { ...payload.metadata, requester_metadata } };
}

describe("a finished call", () => {
  it("sends an event with exactly the captured fields, in their order and of their types", async () => {
    await start();
    const fields = { max_budget: 1, budget_duration: "30d", metadata: { tenant_id: "acme" }, key_alias: "fx-acme" };
    const key = await client.newKey(fields);
    const headers = { authorization: `Bearer ${key}`, "user-agent": "curl/7.88.1" };
    const messages = [{ role: "user", content: "hi" }];
    await send(`${litellm.url}/v1/chat/completions`, "POST", headers, { model: "mock", messages });
    const [payload] = await flushed();
    const [capture] = captured("generic-api-success");
    expect(typedShapeOf(withoutClient(payload))).toEqual(typedShapeOf(withoutClient(capture)));
    expect([payload.request_tags, payload.model_group]).toEqual([capture.request_tags, capture.model_group]);
    expect([payload.messages, payload.response.choices]).toEqual([capture.messages, capture.response.choices]);
  });

  it("carries its cost, and of its key the spend before it, limits, team, end user and metadata", async () => {
    await start();
    const { team_id } = (await client.call("POST", "/team/new", { team_alias: "red" })).body;
    const metadata = { tenant_id: "acme" };
    const key = await client.newKey({ max_budget: 9, budget_duration: "1d", metadata, team_id });
    for (const cost of [0.25, 0.5]) await client.chat(key, { cost, body: { user: "customer-7" } });
    const [first, second] = await flushed();
    expect([first.response_cost, second.response_cost]).toEqual([0.25, 0.5]);
    expect([first.status, first.end_user]).toEqual(["success", "customer-7"]);
    expect([first.metadata.user_api_key_spend, second.metadata.user_api_key_spend]).toEqual([0, 0.25]);
    expect(second.metadata).toMatchObject({
      user_api_key_hash: hashOf(key),
      user_api_key_max_budget: 9,
      user_api_key_budget_reset_at: (await client.info(key)).budget_reset_at.replace("Z", "+00:00"),
      user_api_key_team_id: team_id,
      user_api_key_team_alias: "red",
      user_api_key_end_user_id: "customer-7",
      user_api_key_auth_metadata: metadata,
    });
  });

  it("sends the event of a stream when it has ended", async () => {
    await start();
    await client.chat(await client.newKey(), { cost: 0.25, body: { stream: true } });
    expect(await flushed()).toMatchObject([{ stream: true, response_cost: 0.25, total_tokens: 30 }]);
  });

  it("sends no prompt when message logging is off, and never a key", async () => {
    await start({ turnOffMessageLogging: true });
    const key = await client.newKey();
    await client.chat(key, { body: { messages: [{ role: "user", content: "a word" }] } });
    const [payload] = await flushed();
    expect(payload.messages).toEqual([{ role: "user", content: "redacted-by-litellm" }]);
    expect(payload.response).toEqual({ text: "redacted-by-litellm" });
    expect(JSON.stringify(payload)).not.toMatch(new RegExp(`a word|hello|${key}`));
  });
});

describe("a call refused over budget", () => {
  it.each(["1.81", "1.83"] as const)(
    "sends a refused call as a failure with the key's hash alone, in %s",
    async (profile) => {
      await start({}, { profile });
      const key = await client.newKey({ max_budget: 0, key_alias: "acme", metadata: { tenant_id: "acme" } });
      const refusal = await client.chat(key);
      const [payload] = await flushed();
      expect(payload).toMatchObject({ status: "failure", response_cost: 0, error_str: refusal.body.error.message });
      const { error_class, error_message } = payload.error_information;
      expect([error_class, error_message]).toEqual(["BudgetExceededError", refusal.body.error.message]);
      const ofKey = Object.entries(payload.metadata).filter(([name]) => name.startsWith("user_api_key"));
      expect(ofKey.filter(([, value]) => value !== null)).toEqual([["user_api_key_hash", hashOf(key)]]);
      expect(Object.keys(payload)).toEqual(expect.arrayContaining(Object.keys(captured("generic-api-success")[0])));
    },
  );
});

describe("a batch", () => {
  it("comes as one JSON array with the configured bearer token", async () => {
    await start();
    const key = await client.newKey();
    for (const _ of [1, 2, 3]) await client.chat(key);
    expect(await flushed()).toHaveLength(3);
    expect(receiver.received).toHaveLength(1);
    expect(receiver.received[0]).toMatchObject({ path: "/events", headers: { authorization: "Bearer evt-secret" } });
    expect(receiver.received[0]?.headers).toMatchObject({
      "user-agent": "litellm/1.81.9",
      "content-type": "application/json",
    });
    expect(litellm.sent()).toMatchObject([{ kind: "events", count: 3, status: 200 }]);
  });

  it("comes as lines, or call by call, when the log format says so", async () => {
    await start({ logFormat: "ndjson" });
    const key = await client.newKey();
    for (const _ of [1, 2]) await client.chat(key);
    await flushed();
    expect(receiver.received[0]?.text.split("\n").map((line) => JSON.parse(line).status)).toEqual([
      "success",
      "success",
    ]);
    litellm.connect({ events: { url: receiver.url, token: "evt-secret", logFormat: "single" } });
    for (const _ of [1, 2]) await client.chat(key);
    expect(await flushed()).toMatchObject([{ status: "success" }, { status: "success" }]);
    expect(receiver.received).toHaveLength(2);
  });

  it("flushes a batch after its time", async () => {
    await start({ flushEveryMs: 30 });
    await client.chat(await client.newKey());
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 30_000 });
  });

  it("flushes a batch of 512 calls", async () => {
    await start({ flushEveryMs: 60_000 });
    const key = await client.newKey();
    const bunches = Array.from({ length: 16 }, () => Array.from({ length: 32 }, () => client.chat(key)));
    for (const bunch of bunches) await Promise.all(bunch);
    await litellm.settled();
    expect(receiver.received.map(({ json }) => json.length)).toEqual([512]);
  });

  it.each([500, null])("loses a batch that is answered with %s: nothing is sent twice", async (status) => {
    await start();
    if (status === null) litellm.connect({ events: { url: "http://127.0.0.1:1/", token: "evt-secret" } });
    else receiver.answer = () => ({ status });
    await client.chat(await client.newKey());
    await litellm.flushEvents();
    expect(litellm.sent()).toMatchObject([{ kind: "events", count: 1, status }]);
    receiver.answer = () => ({});
    litellm.connect({ events: { url: receiver.url, token: "evt-secret" } });
    expect(await flushed()).toEqual([]);
  });

  it("loses a batch that has not gone out when the simulator stops", async () => {
    await start({ flushEveryMs: 1_000 });
    await client.chat(await client.newKey());
    await litellm.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect([await flushed(), litellm.sent()]).toEqual([[], []]);
  });
});
