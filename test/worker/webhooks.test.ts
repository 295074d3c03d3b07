// LiteLLM's endpoints inside workerd: its Web Crypto and streams, and the real binding of the spend queue.

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type SpendMessage, spendMessageSchema } from "../../src/ports/messages.ts";
import { signStandardWebhook } from "../../src/wire/signing.ts";
import worker from "../../src/worker.ts";
import { aHash, bindingsWith, recordConsole } from "./bursar.ts";

beforeEach(() => void recordConsole());
afterEach(() => void vi.unstubAllGlobals());

/** Records the messages that the real queue accepts. */
function watchedQueue() {
  const sent: SpendMessage[] = [];
  const take = (bodies: SpendMessage[]) => sent.push(...bodies);
  const queue = {
    async send(body: SpendMessage, options: QueueSendOptions) {
      const answer = await env.SPEND_QUEUE.send(body, options);
      take([body]);
      return answer;
    },
    async sendBatch(messages: MessageSendRequest<SpendMessage>[]) {
      const answer = await env.SPEND_QUEUE.sendBatch(messages);
      take(messages.map(({ body }) => body));
      return answer;
    },
  };
  return { sent, bindings: bindingsWith({ SPEND_QUEUE: queue }) };
}

async function post(path: string, body: BodyInit, headers: Record<string, string>, bindings: Env): Promise<number> {
  const execution = createExecutionContext();
  const request = new Request(`http://bursar.test${path}`, { method: "POST", headers, body });
  const { status } = await worker.fetch(request, bindings, execution);
  await waitOnExecutionContext(execution);
  return status;
}

const [secret = ""] = env.WEBHOOK_SECRETS.split(",");

async function signed(body: string): Promise<Record<string, string>> {
  const id = `msg_${crypto.randomUUID()}`;
  const timestampSeconds = Math.floor(Date.now() / 1_000);
  const signature = await signStandardWebhook(secret, { id, timestampSeconds, body });
  return { "webhook-id": id, "webhook-timestamp": String(timestampSeconds), "webhook-signature": signature };
}

it("W1: answers 200 to each copy of a signed webhook and queues it with its id", async () => {
  const token = aHash();
  const body = JSON.stringify({ event: "budget_crossed", event_group: "key", spend: 1.2000000000000002, token });
  const headers = await signed(body);
  const { sent, bindings } = watchedQueue();
  expect(await post("/v1/webhooks/litellm", body, headers, bindings)).toBe(200);
  expect(await post("/v1/webhooks/litellm", body, headers, bindings)).toBe(200);
  const message = expect.objectContaining({
    kind: "webhook",
    auth: "signature",
    event: "budget_crossed",
    key_hash: token,
    spend: "1.2",
    webhook_id: headers["webhook-id"],
  });
  expect(sent).toEqual([message, message]);
  expect(spendMessageSchema.safeParse(sent[0]).success).toBe(true);
});

it("W2: answers 401 to a changed byte, and queues nothing", async () => {
  const body = JSON.stringify({ event: "budget_crossed", event_group: "key", spend: 1, token: aHash() });
  const { sent, bindings } = watchedQueue();
  expect(await post("/v1/webhooks/litellm", body.replace("1", "2"), await signed(body), bindings)).toBe(401);
  expect(sent).toEqual([]);
});

it("queues messages of fifty calls for a streamed batch", async () => {
  const hashes = Array.from({ length: 150 }, aHash);
  const events = hashes.map((hash, index) => ({
    status: "success",
    response_cost: 0.5,
    id: `call-${index}`,
    startTime: 1_795_336_382.936243,
    endTime: 1_795_336_383.936243,
    metadata: { user_api_key_hash: hash },
    messages: "x".repeat(10_000),
  }));
  const bytes = new TextEncoder().encode(JSON.stringify(events));
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writing = (async () => {
    const writer = writable.getWriter();
    for (let at = 0; at < bytes.length; at += 4_096) await writer.write(bytes.subarray(at, at + 4_096));
    await writer.close();
  })();
  const { sent, bindings } = watchedQueue();
  const [token = ""] = env.EVENTS_TOKENS.split(",");
  expect(await post("/v1/events/litellm", readable, { authorization: `Bearer ${token}` }, bindings)).toBe(200);
  await writing;
  const calls = sent.map((message) => (message as { calls: unknown[] }).calls);
  expect(calls.map(({ length }) => length)).toEqual([50, 50, 50]);
  expect(calls[2]?.[49]).toMatchObject({ key_hash: hashes[149], cost: "0.5", ended_at: 1_795_336_383_936 });
});
