// The inbox's HTTP routes: receivers, messages as JSON, failures and the page. Only translates.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Failures, failureSchema } from "./failures.ts";
import type { Mailbox } from "./mailbox.ts";
import { KINDS, type MessageFilter } from "./message.ts";
import { EMAIL_CSP, emailHtml } from "./page/message-card.ts";
import { messagesPage, PAGE_CSP, PAGE_LENGTH } from "./page/page.ts";
import type { Receiver } from "./receivers/receiver.ts";
import type { WebhookEndpoint } from "./receivers/webhook.ts";
import { takeIn } from "./take-in.ts";

export interface InboxState {
  readonly mailbox: Mailbox;
  readonly failures: Failures;
  readonly receivers: Readonly<
    Record<"slack" | "resend" | "sendEmail" | "pagerduty" | "teams" | "discord", Receiver>
  > & {
    readonly webhook: WebhookEndpoint;
  };
  clear(): void;
}

/** The page's form sends every field, so an empty value means no filter. */
const blank = z.literal("").transform(() => undefined);
const filterSchema = z.object({
  kind: z.enum(KINDS).or(blank).optional(),
  accepted: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .or(blank)
    .optional(),
  tenant: z
    .string()
    .transform((text) => text.trim() || undefined)
    .optional(),
  limit: z.coerce.number().int().min(1).optional(),
});

const secretsSchema = z.strictObject({ secrets: z.array(z.string()).min(1) });

export function inboxRoutes(state: InboxState): Hono {
  const { mailbox, failures, receivers } = state;
  const app = new Hono();
  // Part of the ETag: a browser must not reuse the cached list of an earlier inbox on the same port.
  const runId = crypto.randomUUID();
  const at = (receiver: Receiver) => (c: Context) => takeIn(c.req.raw, receiver, state);
  app.post("/slack/*", at(receivers.slack));
  app.post("/resend/emails", at(receivers.resend));
  app.post("/send-email", at(receivers.sendEmail));
  app.post("/pagerduty/v2/enqueue", at(receivers.pagerduty));
  app.post("/teams/*", at(receivers.teams));
  app.post("/discord/*", at(receivers.discord));
  app.post("/webhook/:name", at(receivers.webhook));

  app.put("/webhook-secrets/:name", async (c) => {
    const name = c.req.param("name");
    const { secrets } = secretsSchema.parse(await c.req.json());
    receivers.webhook.trust(name, secrets);
    return c.json({ name, secrets: secrets.length });
  });
  app.put("/_fail", async (c) => {
    failures.set(failureSchema.parse(await c.req.json()));
    return c.json({ data: failures.list() });
  });
  app.delete("/_fail", (c) => {
    failures.set(null);
    return c.json({ data: [] });
  });
  app.get("/_fail", (c) => c.json({ data: failures.list() }));

  app.get("/messages", (c) => listMessages(c, mailbox, runId));
  app.get("/messages/count", (c) => c.json({ count: mailbox.count(filterOf(c)) }));
  app.delete("/messages", (c) => {
    state.clear();
    return c.body(null, 204);
  });
  app.get("/messages/:id/html", (c) => {
    const html = emailHtml(mailbox.find(c.req.param("id")));
    return html === null ? c.notFound() : c.html(html, 200, { "Content-Security-Policy": EMAIL_CSP });
  });
  app.get("/", (c) => {
    const filter = filterOf(c);
    const page = messagesPage(mailbox.list({ ...filter, limit: PAGE_LENGTH }), filter);
    return c.html(page, 200, { "Content-Security-Policy": PAGE_CSP });
  });
  // A malformed request gets the error's message: only developers use this server.
  app.onError((error, c) => c.json({ error: error.message }, 400));
  return app;
}

function listMessages(c: Context, mailbox: Mailbox, runId: string): Response {
  const etag = `"${runId}-${mailbox.revision()}"`;
  const headers = { ETag: etag, "Cache-Control": "no-cache" };
  if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
  return c.json({ data: mailbox.list(filterOf(c)) }, 200, headers);
}

/** @throws ZodError for an invalid filter. */
function filterOf(c: Context): MessageFilter {
  return filterSchema.parse(c.req.query());
}
