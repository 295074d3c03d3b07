// Shared by the tests of LiteLLM's endpoints: an HTTP world that takes bytes and streams, captures, signatures.

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import type { QueuedCall, SpendMessage } from "../../../src/ports/messages.ts";
import { signStandardWebhook } from "../../../src/wire/signing.ts";
import { NOW } from "../../budget/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { type Answer, HttpWorld, TOKENS } from "../../support/worlds/http-world.ts";

export const SIGNED = "/v1/webhooks/litellm";
export const BY_TOKEN = "/v1/webhooks/litellm/url-token";
export const EVENTS = "/v1/events/litellm";
export const BEARER = { authorization: "Bearer events-token" };

/** The key in the captures. */
const HASH = "99a8a3fadd94abc1a9f7b4120d408636c6dbe922390756385c07b15cf4ceaaf8";

const [SECRET = ""] = TOKENS.webhookSecrets;
const capture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../litellm/captures/${name}.json`, import.meta.url), "utf8"));

export type Json = Record<string, unknown>;

/** Captured bodies. */
export const CAPTURES: { threshold: Json; softBudget: Json; events: readonly Json[] } = {
  threshold: capture("webhook-threshold-crossed"),
  softBudget: capture("webhook-soft-budget-crossed"),
  events: capture("generic-api-success"),
};

/** A captured event with other amounts. */
export function anEvent(metadata: Json = {}, differences: Json = {}): Json {
  const [real = {}] = CAPTURES.events;
  return { ...real, ...differences, metadata: { ...(real["metadata"] as Json), ...metadata } };
}

/** Another call of the captured key, with its cost in dollars. */
export const callOf = (cost: number, metadata: Json = {}, differences: Json = {}) =>
  anEvent(metadata, { id: `chatcmpl-of-${cost}`, response_cost: cost, ...differences });

/** The queue message of the captured webhook. */
export const WEBHOOK = {
  kind: "webhook",
  auth: "signature",
  door: "signed",
  event: "threshold_crossed",
  event_group: "key",
  key_hash: HASH,
  team_id: null,
  user_id: null,
  spend: "0.9",
  projected_spend: null,
  projected_exceeded_date: null,
  webhook_id: "msg_1",
  sent_at: NOW,
  received_at: NOW,
};
/** The same from a sender that only knows the URL token. */
export const STOCK_WEBHOOK = { ...WEBHOOK, auth: "url_token", door: "url_token", webhook_id: null };
/** The captured call. Its id is the sha256 of its key, id, start and end, as JSON, cut to 128 bits. */
export const CALL = {
  id: sha256(`["${HASH}","chatcmpl-c51bf98a-15e7-438e-83bf-e6de197e1648",1795336382.936243,1795336382.938846]`).slice(
    0,
    32,
  ),
  key_hash: HASH,
  team_id: null,
  started_at: 1_795_336_382_936,
  ended_at: 1_795_336_382_938,
  cost: "0.3",
};
/** The queue message of the captured call. */
export const CALLS = { v: 2, kind: "calls", calls: [CALL], hints: [], received_at: NOW };

export const problemOf = ({ body }: Answer): string => body.type.replace("urn:bursar:problem:", "");

/** The Standard Webhooks headers for a text body. */
export async function standardHeaders(
  body: string,
  options: { id?: string; at?: number; secret?: string } = {},
): Promise<Record<string, string>> {
  const { id = "msg_1", at = Date.now(), secret = SECRET } = options;
  const timestampSeconds = Math.floor(at / 1_000);
  const signature = await signStandardWebhook(secret, { id, timestampSeconds, body });
  return { "webhook-id": id, "webhook-timestamp": String(timestampSeconds), "webhook-signature": signature };
}

/** Uses Node's crypto, not the code under test. */
export function hexSignature(body: string | Uint8Array, secret = SECRET): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/** A streamed body with these chunks and no length. */
export function streamOf(chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const left = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = left.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

export class EndpointsWorld extends HttpWorld {
  async post(path: string, body: BodyInit | null, headers: Record<string, string> = {}): Promise<Answer> {
    const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
    const response = await this.app.fetch(new Request(`http://bursar.test${path}`, init), {}, execution);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  }

  /** Signed by Standard Webhooks. */
  async postSigned(body: unknown, options: Parameters<typeof standardHeaders>[1] = {}): Promise<Answer> {
    const text = JSON.stringify(body);
    return this.post(SIGNED, text, await standardHeaders(text, options));
  }

  async postEvents(body: unknown): Promise<Answer> {
    return this.post(EVENTS, JSON.stringify(body), BEARER);
  }

  get messages(): readonly SpendMessage[] {
    return this.queue.sent.map(({ message }) => message);
  }

  /** The queued calls, in order. */
  reported(): QueuedCall[] {
    return this.messages.flatMap((message) => (message.kind === "calls" && "calls" in message ? message.calls : []));
  }
}
