// Channels of each kind, and what a webhook channel receives.

import type { InboxMessage } from "../../inbox/message.ts";
import { type Capture, example, type Step, until } from "../steps.ts";

export const CHANNELS: readonly Step[] = [
  example(
    "create-slack-channel",
    201,
    `curl -i "$bursar/v1/channels" -H "$admin" \\
  -d '{"kind": "slack", "name": "budget alerts", "url": "'$inbox'/slack/budget-alerts"}'`,
    { channel_id: "id" },
  ),
  example(
    "create-email-channel",
    201,
    `curl -i "$bursar/v1/channels" -H "$admin" \\
  -d '{"kind": "email", "name": "Acme finance", "tenant_id": "acme", "to": ["finance@acme.example"]}'`,
    { email_channel_id: "id" },
  ),
  example(
    "create-webhook-channel",
    201,
    `curl -i "$bursar/v1/channels" -H "$admin" \\
  -d '{"kind": "webhook", "name": "billing", "tenant_id": "acme", "url": "'$inbox'/webhook/billing"}'`,
    { webhook_channel_id: "id" },
  ),
  example(
    "create-channel-invalid",
    422,
    `curl -i "$bursar/v1/channels" -H "$admin" \\
  -d '{"kind": "slack", "name": "budget alerts", "tenant_id": "hooli", "url": "hooks.slack.com/services/T0/B0"}'`,
  ),
];

/** The alert for the warning, as the webhook channel received it. */
const WEBHOOK_EVENT: Capture = {
  name: "webhook-event",
  async capture({ product }) {
    const find = () =>
      product.stack.inbox
        .messages({ kind: "webhook", accepted: true })
        .find(({ summary }) => summary === "budget.threshold_crossed");
    await until("the webhook channel receives the alert", async () => find() !== undefined);
    const { headers, path, body } = find() as InboxMessage;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return [`POST ${path} HTTP/1.1`, ...lines, "", JSON.stringify(body)].join("\n");
  },
};

export const CHANNELS_LATER: readonly Step[] = [
  WEBHOOK_EVENT,
  example("list-channels", 200, `curl -i "$bursar/v1/channels?tenant_id=acme" -H "$reader"`),
  example("get-channel", 200, `curl -i "$bursar/v1/channels/$channel_id" -H "$reader"`),
  example(
    "patch-channel",
    200,
    `curl -i -X PATCH "$bursar/v1/channels/$webhook_channel_id" -H "$admin" \\
  -d '{"name": "billing events", "rotate_secret": true}'`,
  ),
  example("test-channel", 200, `curl -i -X POST "$bursar/v1/channels/$channel_id/test" -H "$admin"`),
  // Until the example is over, because a notice of its own may arrive first.
  async ({ product }) => product.stack.inbox.fail({ kind: "slack", how: { status: 404 } }),
  example("test-channel-failed", 502, `curl -i -X POST "$bursar/v1/channels/$channel_id/test" -H "$admin"`),
  async ({ product }) => product.stack.inbox.fail(null),
  example("delete-channel", 204, `curl -i -X DELETE "$bursar/v1/channels/$email_channel_id" -H "$admin"`),
];
