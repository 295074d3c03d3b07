// The inbox of the local stack: receives every notice and shows it on a page and as JSON. Forwards nothing.

import { type Part, startPart } from "../part.ts";
import { createFailures, type Failure } from "./failures.ts";
import { createMailbox } from "./mailbox.ts";
import type { InboxMessage, MessageFilter } from "./message.ts";
import { discordEndpoint } from "./receivers/discord.ts";
import { pagerDutyEndpoint } from "./receivers/pagerduty.ts";
import { createResendEndpoint } from "./receivers/resend.ts";
import { sendEmailEndpoint } from "./receivers/send-email.ts";
import { slackEndpoint } from "./receivers/slack.ts";
import { teamsEndpoint } from "./receivers/teams.ts";
import { createWebhookEndpoint } from "./receivers/webhook.ts";
import { inboxRoutes } from "./routes.ts";

export interface Inbox extends Part {
  /** Newest first; also `GET /messages`. */
  messages(filter?: MessageFilter): InboxMessage[];
  /** Deletes all messages, idempotency keys and webhook ids. Failures and secrets stay. */
  clear(): void;
  /** Makes calls of a kind fail; null removes all failures. Also `PUT /_fail` and `DELETE /_fail`. */
  fail(failure: Failure | null): void;
  /** Sets the valid signing secrets (`whsec_…`) of `/webhook/<name>`; also `PUT /webhook-secrets/<name>`. */
  trust(name: string, secrets: readonly string[]): void;
}

/** @throws PortTakenError naming INBOX_PORT. */
export async function startInbox(port: number): Promise<Inbox> {
  const mailbox = createMailbox();
  const failures = createFailures();
  const receivers = {
    slack: slackEndpoint,
    resend: createResendEndpoint(),
    sendEmail: sendEmailEndpoint,
    webhook: createWebhookEndpoint(),
    pagerduty: pagerDutyEndpoint,
    teams: teamsEndpoint,
    discord: discordEndpoint,
  };
  const clear = () => {
    mailbox.clear();
    receivers.resend.forget?.();
    receivers.webhook.forget?.();
  };
  const app = inboxRoutes({ mailbox, failures, receivers, clear });
  const part = await startPart({
    name: "inbox",
    port,
    portVariable: "INBOX_PORT",
    handler: (request) => app.fetch(request),
  });
  return {
    ...part,
    messages: (filter) => mailbox.list(filter),
    clear,
    fail: (failure) => failures.set(failure),
    trust: (name, secrets) => receivers.webhook.trust(name, secrets),
  };
}
