// One notice in the form of its channel, handed to the provider once. Never logs a target; never throws: what goes wrong
// is an outcome, so that a bug in the words of one notice is counted like any other failure.

import type { Instant } from "../../budget/instant.ts";
import { emailMessage } from "../../notices/email/email.ts";
import { eventBody } from "../../notices/event.ts";
import type { Notice } from "../../notices/notice.ts";
import { slackMessage } from "../../notices/slack.ts";
import type { LogFields, Notifier, Ports } from "../../ports/ports.ts";
import type { ChannelTarget, SendOutcome } from "../../records/alert-record.ts";

export interface OfferInput {
  readonly notice: Notice;
  readonly target: ChannelTarget;
  /** What receivers and providers know the notice by, the same at every attempt. */
  readonly noticeId: string;
  /** For the log. */
  readonly about: LogFields;
  readonly now: Instant;
}

export interface Offered {
  readonly outcome: SendOutcome;
  /** The words of the notice. */
  readonly preview: string;
}

interface Rendered {
  readonly preview: string;
  send(notifier: Notifier): Promise<SendOutcome>;
}

export async function offerNotice(
  input: OfferInput,
  { notifier, log }: Pick<Ports, "notifier" | "log">,
): Promise<Offered> {
  let rendered: Rendered;
  try {
    rendered = render(input);
  } catch (cause) {
    log.error("a notice could not be rendered", cause, input.about);
    return { outcome: failed("it could not be rendered"), preview: "" };
  }
  const { preview, send } = rendered;
  try {
    return { outcome: await send(notifier), preview };
  } catch (cause) {
    // Its message may hold the target.
    const error = cause instanceof Error ? cause.name : typeof cause;
    log.error("a notifier broke", null, { ...input.about, error });
    return { outcome: failed("its notifier broke"), preview };
  }
}

function render({ notice, target, noticeId, now }: OfferInput): Rendered {
  switch (target.kind) {
    case "slack": {
      const message = slackMessage(notice);
      return { preview: message.text, send: ({ slack }) => slack(target.url, message) };
    }
    case "email": {
      const message = emailMessage(notice);
      const preview = `${message.subject}\n\n${message.text}`;
      return { preview, send: ({ email }) => email(target.to, message, noticeId) };
    }
    case "webhook": {
      const body = eventBody(notice);
      const event = { body, webhookId: noticeId, sentAt: now };
      return { preview: body, send: ({ webhook }) => webhook(target.url, target.secret, event) };
    }
  }
}

function failed(why: string): SendOutcome {
  return { kind: "failed", why, retryAfterSeconds: null };
}
