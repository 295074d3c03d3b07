// Connects the running Worker to the other parts: LiteLLM reports to the Worker and asks Guard, and the Worker sends
// its notices to the inbox. Uses the Worker's admin API, as an operator would, and replaces channels of earlier runs.

import type { Inbox } from "./inbox/start.ts";
import type { Litellm } from "./litellm/start.ts";

export const DEV_ADMIN_TOKEN = "dev-admin-token";
const WEBHOOK_URL_TOKEN = "dev-webhook-url-token";
const EVENTS_TOKEN = "dev-events-token";
const GUARDRAIL_TOKEN = "dev-guardrail-token";

/** LiteLLM's default is one day, so it would repeat no alert during a demo. */
const BUDGET_ALERT_TTL_MS = 60_000;

/** Names of the platform-wide channels to the inbox. The webhook's name is also its path in the inbox. */
const SLACK = "inbox-slack";
const EMAIL = "inbox-email";
const WEBHOOK = "inbox-webhook";

interface Channel {
  readonly id: string;
  readonly name: string;
}

/** `flushEventsMs`: how often LiteLLM sends call events. Default: LiteLLM's own 5 s. */
export function reportTo(workerUrl: string, litellm: Litellm, options: { flushEventsMs?: number } = {}): void {
  litellm.connect({
    webhook: {
      url: `${workerUrl}/v1/webhooks/litellm/${WEBHOOK_URL_TOKEN}`,
      budgetAlertTtlMs: BUDGET_ALERT_TTL_MS,
    },
    events: {
      url: `${workerUrl}/v1/events/litellm`,
      token: EVENTS_TOKEN,
      turnOffMessageLogging: true,
      ...(options.flushEventsMs !== undefined && { flushEveryMs: options.flushEventsMs }),
    },
    guardrail: {
      url: `${workerUrl}/litellm`,
      token: GUARDRAIL_TOKEN,
      unreachableFallback: "fail_open",
      failOnError: false,
    },
  });
}

/** Creates one platform-wide channel of each kind. @throws Error when the Worker refuses one. */
export async function openInboxChannels(workerUrl: string, inbox: Inbox): Promise<void> {
  const { data } = (await admin(workerUrl, "GET", "/v1/channels?limit=200")) as { data: readonly Channel[] };
  for (const { id, name } of data) {
    if ([SLACK, EMAIL, WEBHOOK].includes(name)) await admin(workerUrl, "DELETE", `/v1/channels/${id}`);
  }
  await admin(workerUrl, "POST", "/v1/channels", { kind: "slack", name: SLACK, url: `${inbox.url}/slack/platform` });
  await admin(workerUrl, "POST", "/v1/channels", { kind: "email", name: EMAIL, to: "platform@bursar.example" });
  const webhook = { kind: "webhook", name: WEBHOOK, url: `${inbox.url}/webhook/${WEBHOOK}` };
  const { signing_secret: secret } = (await admin(workerUrl, "POST", "/v1/channels", webhook)) as {
    signing_secret: string;
  };
  inbox.trust(WEBHOOK, [secret]);
}

/** The configuration that this Worker asks LiteLLM's operator to paste. @throws Error when the Worker refuses it. */
export async function litellmSetup(workerUrl: string): Promise<string> {
  const headers = { Authorization: `Bearer ${DEV_ADMIN_TOKEN}` };
  const response = await fetch(`${workerUrl}/v1/setup/litellm`, { headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`GET /v1/setup/litellm answered ${response.status}: ${text}`);
  return text;
}

async function admin(workerUrl: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(workerUrl + path, {
    method,
    headers: { Authorization: `Bearer ${DEV_ADMIN_TOKEN}`, "Content-Type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return text === "" ? null : JSON.parse(text);
}
