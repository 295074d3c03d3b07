// Renders one notice for its channel and hands it to the provider once. Never logs a target. Never throws: an error is
// an outcome, so that a bug in rendering counts like any other failed attempt.

import type { Instant } from "../../budget/instant.ts";
import { emailMessage } from "../../notices/email/email.ts";
import { eventBody } from "../../notices/event.ts";
import type { Notice } from "../../notices/notice.ts";
import { slackMessage } from "../../notices/slack.ts";
import type { LogFields, Notifier, Ports } from "../../ports/ports.ts";
import type { ChannelTarget } from "../../records/channel.ts";
import type { SendOutcome } from "../../records/delivery.ts";

export interface AttemptInput {
  readonly notice: Notice;
  readonly target: ChannelTarget;
  /** The id by which receivers and providers dedupe, the same at every attempt. */
  readonly noticeId: string;
  /** Fields for the log. */
  readonly about: LogFields;
  readonly now: Instant;
}

export interface Attempted {
  readonly outcome: SendOutcome;
  /** The text of the notice. */
  readonly preview: string;
}

interface Rendered {
  readonly preview: string;
  send(notifier: Notifier): Promise<SendOutcome>;
}

export async function attemptNotice(
  input: AttemptInput,
  { notifier, log }: Pick<Ports, "notifier" | "log">,
): Promise<Attempted> {
  let rendered: Rendered;
  try {
    rendered = render(input);
  } catch (cause) {
    log.error("notice rendering failed", cause, input.about);
    return { outcome: failed("the notice could not be rendered"), preview: "" };
  }
  const { preview, send } = rendered;
  try {
    return { outcome: await send(notifier), preview };
  } catch (cause) {
    // The error's message may contain the target.
    const error = cause instanceof Error ? cause.name : typeof cause;
    log.error("notifier threw", null, { ...input.about, error });
    return { outcome: failed("the notifier threw an error"), preview };
  }
}

function render({ notice, target, noticeId, now }: AttemptInput): Rendered {
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
