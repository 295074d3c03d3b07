// Prepares requests for the wire and signs them. The load process does so before its clock starts, so that no measured
// time includes a signature. A Standard Webhooks signature is valid for five minutes.

import { createHmac, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { LoadRequest, Signing } from "./job.ts";

export interface PreparedRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function prepared({ path, headers, body, signed }: LoadRequest): PreparedRequest {
  if (body === undefined) return { method: "GET", path, headers };
  const signature = signed === undefined ? {} : signatureHeaders(signed, body);
  return { method: "POST", path, headers: { "content-type": "application/json", ...headers, ...signature }, body };
}

function signatureHeaders({ scheme, secret }: Signing, body: string): Record<string, string> {
  if (scheme === "x_litellm_signature") {
    return { "x-litellm-signature": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}` };
  }
  const id = `msg_${randomUUID()}`;
  const now = new Date();
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret, { format: "raw" }).sign(id, now, body),
  };
}
