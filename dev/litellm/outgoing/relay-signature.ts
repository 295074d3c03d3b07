// Signs the alerts that the relay in front of the webhook forwards. LiteLLM itself signs nothing.
// Must never decide whether a relay is used.

import { createHmac } from "node:crypto";
import type { Relay } from "./receivers.ts";

/** `id` stays the same when a message is sent again; `at` (ms) is the time of this attempt. */
export function signatureHeaders(relay: Relay, message: { id: string; at: number; body: string }) {
  const key = keyOf(relay.secret);
  if (relay.scheme === "x-litellm-signature") {
    return { "x-litellm-signature": `sha256=${createHmac("sha256", key).update(message.body).digest("hex")}` };
  }
  const timestamp = String(Math.floor(message.at / 1_000));
  const signed = `${message.id}.${timestamp}.${message.body}`;
  return {
    "webhook-id": message.id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
  };
}

function keyOf(secret: string): Buffer {
  const encoded = /^whsec_(.*)$/.exec(secret)?.[1];
  return encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, "base64");
}
