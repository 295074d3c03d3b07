// The inbox of the local stack: where every notice arrives, shown on a page and as JSON. Nothing is sent on.

import { type Part, startPart } from "../part.ts";
import { createFailures, type Failure } from "./failures.ts";
import { createMailbox } from "./mailbox.ts";
import type { InboxMessage, MessageFilter } from "./message.ts";
import { createResendEndpoint } from "./receivers/resend.ts";
import { sendEmailEndpoint } from "./receivers/send-email.ts";
import { slackEndpoint } from "./receivers/slack.ts";
import { createWebhookEndpoint } from "./receivers/webhook.ts";
import { inboxRoutes } from "./routes.ts";

export interface Inbox extends Part {
  /** Newest first; also `GET /messages`. */
  messages(filter?: MessageFilter): InboxMessage[];
  /** Forgets all that came, with its idempotency keys and webhook ids; failures and secrets stay. */
  clear(): void;
  /** Lets calls of a kind fail; null lets all pass again. Also `PUT /_fail` and `DELETE /_fail`. */
  fail(failure: Failure | null): void;
  /** The secrets (`whsec_…`) that may have signed calls to `/webhook/<name>`; also `PUT /webhook-secrets/<name>`. */
  trust(name: string, secrets: readonly string[]): void;
}

/** @throws PortTakenError naming INBOX_PORT. */
export async function startInbox(port: number): Promise<Inbox> {
  const mailbox = createMailbox();
  const failures = createFailures();
  const doors = {
    slack: slackEndpoint,
    resend: createResendEndpoint(),
    sendEmail: sendEmailEndpoint,
    webhook: createWebhookEndpoint(),
  };
  const clear = () => {
    mailbox.clear();
    doors.resend.forget?.();
    doors.webhook.forget?.();
  };
  const app = inboxRoutes({ mailbox, failures, doors, clear });
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
    trust: (name, secrets) => doors.webhook.trust(name, secrets),
  };
}
