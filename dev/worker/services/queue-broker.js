// A queue inside workerd that delivers messages by the settings of wrangler.toml: in batches, to several concurrent
// consumers, again after a failure, and finally to its dead-letter queue. Keeps messages in memory only.
// Unlike Cloudflare it runs with full concurrency from the first message on.

import { DurableObject } from "cloudflare:workers";

/** Cloudflare's defaults for settings that wrangler.toml leaves out. */
const DEFAULTS = { max_batch_size: 10, max_batch_timeout: 5, max_retries: 3, retry_delay: 0, max_concurrency: 250 };

const FAILED = {
  outcome: "exception",
  ackAll: false,
  retryBatch: { retry: true },
  explicitAcks: [],
  retryMessages: [],
};

export default {
  fetch: (request, { QUEUE }) => QUEUE.get(QUEUE.idFromName("queue")).fetch(request),
};

/** A Durable Object, because in a plain Worker a timer ends with the request that set it. */
export class Queue extends DurableObject {
  #settings = { ...DEFAULTS, ...this.env.SETTINGS };
  /** Due messages that are not acknowledged, oldest first: waiting, being handled, or waiting for a retry. */
  #backlog = new Map();
  /** The messages of the backlog that go into the next batches. */
  #ready = [];
  #consumers = 0;
  #timer = null;
  #refuses = false;
  #counts = { messages: 0, sends: 0 };
  #ends = { delivered: 0, acked: 0, retried: 0, dead: 0 };
  #delayed = 0;

  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/_counts":
        return this.#answerCounts(request.method === "DELETE");
      case "/_refuse":
        this.#refuses = request.method === "PUT";
        return Response.json({ refuses: this.#refuses });
      case "/_backlog":
        return Response.json(this.#describe());
    }
    const sent = pathname === "/batch" ? batchFrom(await request.json()) : [await messageFrom(request)];
    if (this.#refuses) return new Response("refused on purpose", { status: 500 });
    this.#counts.sends++;
    this.#counts.messages += sent.length;
    const defaultSeconds = Number(request.headers.get("X-Msg-Delay-Secs") ?? 0);
    const now = Date.now();
    for (const { body, delaySeconds = defaultSeconds } of sent) {
      this.#accept({ id: crypto.randomUUID().replaceAll("-", ""), timestamp: now, body, attempts: 0 }, delaySeconds);
    }
    return Response.json({ metadata: { metrics: { backlogCount: this.#backlog.size, backlogBytes: 0 } } });
  }

  /** Accepts a dead letter of another queue. It keeps its id and timestamp; its attempts start again from 0. */
  takeDead(message) {
    this.#accept({ ...message, attempts: 0 }, 0);
  }

  #answerCounts(reset) {
    const answer = Response.json(this.#counts);
    if (reset) this.#counts = { messages: 0, sends: 0 };
    return answer;
  }

  #describe() {
    const [oldest] = this.#backlog.values();
    const oldestMs = oldest === undefined ? 0 : Date.now() - oldest.dueAt;
    return { messages: this.#backlog.size, oldestMs, delayed: this.#delayed, ...this.#ends };
  }

  #accept(message, delaySeconds) {
    const addToBacklog = () => {
      message.dueAt = Date.now();
      this.#backlog.set(message.id, message);
      this.#makeReady(message);
    };
    if (!(delaySeconds > 0)) return addToBacklog();
    this.#delayed++;
    setTimeout(() => {
      this.#delayed--;
      addToBacklog();
    }, delaySeconds * 1_000);
  }

  #makeReady(message) {
    this.#ready.push({ message, since: Date.now() });
    this.#deliverDueBatches();
  }

  #deliverDueBatches() {
    const { max_batch_size: size, max_batch_timeout: seconds, max_concurrency: consumers } = this.#settings;
    const waitMs = () => (this.#ready[0]?.since ?? 0) + seconds * 1_000 - Date.now();
    while (this.#ready.length > 0 && this.#consumers < consumers && (this.#ready.length >= size || waitMs() <= 0)) {
      const batch = this.#ready.splice(0, size).map(({ message }) => message);
      this.ctx.waitUntil(this.#deliver(batch));
    }
    // A consumer that finishes calls this method again.
    if (this.#ready.length === 0 || this.#consumers >= consumers || this.#timer !== null) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#deliverDueBatches();
      },
      Math.max(1, waitMs()),
    );
  }

  async #deliver(batch) {
    this.#consumers++;
    for (const message of batch) message.attempts++;
    this.#ends.delivered += batch.length;
    const answer = await this.#handOver(batch);
    this.#consumers--;
    for (const message of batch) await this.#settle(message, answer);
    this.#deliverDueBatches();
  }

  async #handOver(batch) {
    const messages = batch.map(({ id, timestamp, body, attempts }) => ({
      id,
      timestamp: new Date(timestamp),
      attempts,
      ...body,
    }));
    try {
      return await this.env.WORKER.queue(this.#settings.queue, messages);
    } catch {
      return FAILED;
    }
  }

  /** The Worker's result for a single message takes precedence over its result for the batch and over the outcome. */
  async #settle(message, { outcome, ackAll, retryBatch, explicitAcks, retryMessages = [] }) {
    const { retry_delay: defaultSeconds, max_retries: retries } = this.#settings;
    const own = retryMessages.find(({ msgId }) => msgId === message.id);
    const isRetried = own !== undefined || (!ackAll && (outcome !== "ok" || retryBatch.retry));
    if (explicitAcks.includes(message.id) || !isRetried) {
      this.#ends.acked++;
      this.#backlog.delete(message.id);
    } else if (message.attempts <= retries) {
      this.#ends.retried++;
      const delaySeconds = (own ?? retryBatch).delaySeconds ?? defaultSeconds;
      if (delaySeconds > 0) setTimeout(() => this.#makeReady(message), delaySeconds * 1_000);
      else this.#makeReady(message);
    } else {
      this.#ends.dead++;
      this.#backlog.delete(message.id);
      const { DEAD_LETTERS } = this.env;
      await DEAD_LETTERS?.get(DEAD_LETTERS.idFromName("queue")).takeDead(message);
    }
  }
}

async function messageFrom(request) {
  const bytes = new Uint8Array(await request.arrayBuffer());
  return { body: bodyFrom(request.headers.get("X-Msg-Fmt") ?? "v8", bytes) };
}

function batchFrom({ messages }) {
  return messages.map(({ contentType = "v8", body, delaySecs }) => ({
    body: bodyFrom(contentType, Uint8Array.fromBase64(body)),
    ...(delaySecs !== undefined && { delaySeconds: delaySecs }),
  }));
}

/** The body in the form that a delivery to the Worker expects. */
function bodyFrom(contentType, bytes) {
  if (contentType === "v8") return { serializedBody: bytes };
  if (contentType === "bytes") return { body: bytes.buffer };
  const text = new TextDecoder().decode(bytes);
  return { body: contentType === "json" ? JSON.parse(text) : text };
}
