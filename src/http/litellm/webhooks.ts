// `/v1/webhooks/litellm`: LiteLLM's alerts, from a sender that signs them, or from a stock one that knows the token in
// its URL. Parses nothing before it knows the sender. LiteLLM counts exactly 200 as delivered.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { type NanoUsd, nanoUsdFromNumber } from "../../budget/money.ts";
import { acceptWebhook, type WebhookOrigin, type WebhookReport } from "../../flows/spend/accept-webhook.ts";
import { verifyHexSignature, verifyStandardWebhook } from "../../wire/signing.ts";
import type { AppEnv } from "../app-env.ts";
import { isOneOf } from "../auth.ts";
import { fieldErrors, jsonFrom } from "../fields.ts";
import { invalidFields, problem } from "../problem.ts";
import { reportedIdentifier, reportedKeyHash, reportedMoney, shortText } from "./litellm-fields.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** LiteLLM writes a date, or an instant. */
const MAX_DATE_CHARACTERS = 40;

const name = shortText.min(1);

const webhookBody = z.object({
  event: name,
  event_group: name,
  spend: reportedMoney,
  token: reportedKeyHash,
  team_id: reportedIdentifier,
  user_id: reportedIdentifier,
  projected_spend: z.unknown().optional(),
  projected_exceeded_date: z.unknown().optional(),
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
    return accept(c, body, { auth: "url_token", webhookId: null, sentAt: c.get("now") });
  });

/** Null without a valid signature. The headers of Standard Webhooks take precedence over LiteLLM's own. */
async function signedOrigin(c: Context<AppEnv>, body: Bytes): Promise<WebhookOrigin | null> {
  const { webhookSecrets } = c.get("tokens");
  const now = c.get("now");
  const signature = c.req.header("webhook-signature");
  if (signature !== undefined) {
    const headers = { id: c.req.header("webhook-id"), timestamp: c.req.header("webhook-timestamp"), signature };
    const signed = await verifyStandardWebhook(webhookSecrets, { headers, body, now });
    return signed && { auth: "signature", webhookId: signed.id, sentAt: signed.signedAt };
  }
  const isSigned = await verifyHexSignature(webhookSecrets, { signature: c.req.header("X-LiteLLM-Signature"), body });
  return isSigned ? { auth: "signature", webhookId: null, sentAt: now } : null;
}

async function accept(c: Context<AppEnv>, bytes: Bytes, origin: WebhookOrigin): Promise<Response> {
  const json = jsonFromBytes(bytes);
  if (json === undefined) return problem(c, "malformed-json");
  const body = webhookBody.safeParse(json);
  if (!body.success) return invalidFields(c, fieldErrors(body.error));
  const input = { report: reportFrom(body.data), origin, requestId: c.get("requestId"), now: c.get("now") };
  await acceptWebhook(input, c.get("ports"));
  return c.json({ accepted: 1 });
}

function jsonFromBytes(bytes: Bytes): unknown {
  try {
    return jsonFrom(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return undefined;
  }
}

function reportFrom(body: z.output<typeof webhookBody>): WebhookReport {
  return {
    event: body.event,
    eventGroup: body.event_group,
    keyHash: body.token,
    teamId: body.team_id,
    userId: body.user_id,
    spendNanoUsd: body.spend,
    projectedSpendNanoUsd: projectionFrom(body.projected_spend),
    projectedExceededDate: dateFrom(body.projected_exceeded_date),
  };
}

/** Null for an invalid projection, which is ignored; the alert still counts. */
function projectionFrom(value: unknown): NanoUsd | null {
  const amount = nanoUsdFromNumber(value);
  return amount === null || amount < 0n ? null : amount;
}

/** As LiteLLM wrote it; null when it is no date. */
function dateFrom(value: unknown): string | null {
  if (typeof value !== "string" || value.length > MAX_DATE_CHARACTERS) return null;
  return Number.isNaN(Date.parse(value)) ? null : value;
}
