// LiteLLM's alert webhooks and batches of call events, built from captures of a real LiteLLM.

import { readFileSync } from "node:fs";
import type { LoadRequest, Signing } from "../load/job.ts";
import { type BenchTenant, keyHashOf } from "./tenants.ts";

/** The values of .dev.vars.example. */
export const WEBHOOK_SECRET = "dev-webhook-secret";
const URL_TOKEN = "dev-webhook-url-token";
const EVENTS_TOKEN = "dev-events-token";

type Json = Readonly<Record<string, unknown>>;

const captured = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/litellm/captures/${name}.json`, import.meta.url), "utf8"));

const WEBHOOK = captured("webhook-threshold-crossed") as Json;
const [CALL] = captured("generic-api-success") as readonly (Json & { metadata: Json })[];

/** The body of an alert webhook that reports the spend of the tenant's key. */
export function webhookBody(tenant: BenchTenant, usd: number): string {
  return JSON.stringify({ ...WEBHOOK, event_group: "key", token: keyHashOf(tenant), spend: usd });
}

export function signedWebhook(tenant: BenchTenant, usd: number, scheme: Signing["scheme"]): LoadRequest {
  return {
    path: "/v1/webhooks/litellm",
    headers: {},
    body: webhookBody(tenant, usd),
    signed: { scheme, secret: WEBHOOK_SECRET },
  };
}

export function stockWebhook(tenant: BenchTenant, usd: number): LoadRequest {
  return { path: `/v1/webhooks/litellm/${URL_TOKEN}`, headers: {}, body: webhookBody(tenant, usd) };
}

/** A batch of the generic_api callback: one call per tenant, including its prompt. */
export function callEvents(tenants: readonly BenchTenant[]): LoadRequest {
  const calls = tenants.map((tenant, index) => ({
    ...CALL,
    id: `${CALL?.["id"]}-${index}`,
    metadata: { ...CALL?.metadata, user_api_key_hash: keyHashOf(tenant) },
  }));
  return {
    path: "/v1/events/litellm",
    headers: { authorization: `Bearer ${EVENTS_TOKEN}` },
    body: JSON.stringify(calls),
  };
}
