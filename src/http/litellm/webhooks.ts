// `/v1/webhooks/litellm`: LiteLLM's alerts, from a sender that signs them, or from a stock one that knows the token in
// its URL. Parses nothing before it knows the sender. LiteLLM counts exactly 200 as delivered.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import { acceptWebhook } from "../../flows/spend/accept-reports.ts";
import type { QueuedWebhook } from "../../ports/messages.ts";
import { holdsVirtualKey, keyHashFrom } from "../../wire/key-hash.ts";
import { verifyHexSignature, verifyStandardWebhook } from "../../wire/signing.ts";
import type { AppEnv } from "../app-env.ts";
import { isOneOf } from "../auth.ts";
import { isKeyless, NO_KEY } from "../fields.ts";
import { invalidFields, problem } from "../problem.ts";
import { fieldErrors, IN_OUR_WORDS } from "../request/field-errors.ts";
import { jsonFrom } from "../request/read-request.ts";
import { reportedIdentifier, reportedMoney, shortText } from "./litellm-fields.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const name = shortText.min(1).refine(isKeyless, NO_KEY);

/** How the sender authenticated, and its id and time of sending. An unsigned id could suppress another's webhook. */
type Origin = Pick<QueuedWebhook, "auth" | "webhook_id" | "sent_at">;

const webhookBody = z.object({
  event: name,
  event_group: name,
  spend: reportedMoney,
  token: z.unknown().optional(),
  team_id: reportedIdentifier,
  user_id: reportedIdentifier,
});

export const webhookRoutes = new Hono<AppEnv>()
  .post("/v1/webhooks/litellm", async (c) => {
    const body = new Uint8Array(await c.req.arrayBuffer());
    const origin = await signedOrigin(c, body);
    return origin === null ? problem(c, "invalid-signature") : accept(c, body, origin);
  })
  .post("/v1/webhooks/litellm/:token", async (c) => {
    const isKnown = await isOneOf(c.get("tokens").webhookUrl, c.req.param("token"));
    if (!isKnown) return problem(c, "unauthorized", { detail: "The token in the URL is not valid." });
    const body = new Uint8Array(await c.req.arrayBuffer());
    return accept(c, body, { auth: "url_token", webhook_id: null, sent_at: c.get("now") });
  });

/** Null without a valid signature. The headers of Standard Webhooks take precedence over LiteLLM's own. */
async function signedOrigin(c: Context<AppEnv>, body: Bytes): Promise<Origin | null> {
  const { webhookSecrets } = c.get("tokens");
  const now = c.get("now");
  const signature = c.req.header("webhook-signature");
  if (signature !== undefined) {
    const headers = { id: c.req.header("webhook-id"), timestamp: c.req.header("webhook-timestamp"), signature };
    const signed = await verifyStandardWebhook(webhookSecrets, { headers, body, now });
    if (signed === null) return null;
    const webhook_id = holdsVirtualKey(signed.id) ? null : signed.id;
    return { auth: "signature", webhook_id, sent_at: signed.signedAt };
  }
  const isSigned = await verifyHexSignature(webhookSecrets, { signature: c.req.header("X-LiteLLM-Signature"), body });
  return isSigned ? { auth: "signature", webhook_id: null, sent_at: now } : null;
}

async function accept(c: Context<AppEnv>, bytes: Bytes, origin: Origin): Promise<Response> {
  const json = jsonFromBytes(bytes);
  if (json === undefined) return problem(c, "malformed-json");
  const body = webhookBody.safeParse(json, IN_OUR_WORDS);
  if (!body.success) return invalidFields(c, fieldErrors(body.error, webhookBody, json));
  const { event, event_group, spend, token, team_id, user_id } = body.data;
  const key_hash = await keyHashFrom(token);
  if (spend < 0n) {
    const about = { source: "webhook", event, request_id: c.get("requestId") };
    c.get("ports").log.warn("negative spend counted as zero", about);
  }
  const webhook: QueuedWebhook = {
    ...origin,
    ...{ event, event_group, key_hash, team_id, user_id },
    spend: decimalFromNanoUsd(spend < 0n ? 0n : spend),
  };
  await acceptWebhook({ webhook, now: c.get("now") }, c.get("ports"));
  return c.json({ accepted: 1 });
}

function jsonFromBytes(bytes: Bytes): unknown {
  try {
    return jsonFrom(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return undefined;
  }
}
