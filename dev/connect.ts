// Joins the running Worker with the parts around it: LiteLLM reports to it and asks Guard, and its notices go to
// the inbox. Uses the Worker's own admin API, as an operator would; what an earlier start has left there is replaced.

import type { Inbox } from "./inbox/start.ts";
import type { Litellm } from "./litellm/start.ts";

export const DEV_ADMIN_TOKEN = "dev-admin-token";
const WEBHOOK_URL_TOKEN = "dev-webhook-url-token";
const EVENTS_TOKEN = "dev-events-token";
const GUARDRAIL_TOKEN = "dev-guardrail-token";

/** LiteLLM's default is a day, which would repeat nothing during a demo. */
const BUDGET_ALERT_TTL_MS = 60_000;

/** The name of each platform-wide channel to the inbox; the webhook's is also its path there. */
const SLACK = "inbox-slack";
const EMAIL = "inbox-email";
const WEBHOOK = "inbox-webhook";

interface Channel {
  readonly id: string;
  readonly name: string;
}

/** `flushEventsMs`: how often LiteLLM sends what calls have cost; its own 5 s when left out. */
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

/** Three channels of the whole platform. @throws Error when the Worker refuses one. */
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
