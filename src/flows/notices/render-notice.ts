// Renders one notice for the kind of its channel. A kind is added here, in the notifier, and nowhere else in the flows.

import type { Instant } from "../../budget/instant.ts";
import { emailMessage } from "../../notices/email/email.ts";
import { eventBody } from "../../notices/event.ts";
import type { Notice } from "../../notices/notice.ts";
import { discordMessage } from "../../notices/providers/discord.ts";
import { pagerDutyEvent } from "../../notices/providers/pagerduty.ts";
import { slackMessage } from "../../notices/providers/slack.ts";
import { teamsMessage } from "../../notices/providers/teams.ts";
import type { Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import type { ChannelTarget } from "../../records/channel.ts";
import type { SendOutcome } from "../../records/delivery.ts";

export interface NoticeToRender {
  readonly notice: Notice;
  readonly target: ChannelTarget;
  /** The id by which receivers and providers dedupe, the same at every attempt. */
  readonly noticeId: string;
  readonly now: Instant;
}

export interface Rendered {
  /** The text of the notice, for the log. */
  readonly preview: string;
  send(notifier: Notifier): Promise<SendOutcome>;
}

/** @throws for an event type that has no notices. */
export function renderNotice(
  { notice, target, noticeId, now }: NoticeToRender,
  { publicUrl }: Pick<Policy, "publicUrl">,
): Rendered {
  switch (target.kind) {
    case "slack": {
      const message = slackMessage(notice, publicUrl);
      return { preview: message.text, send: ({ slack }) => slack(target.url, message) };
    }
    case "email": {
      const message = emailMessage(notice, publicUrl);
      const preview = `${message.subject}\n\n${message.text}`;
      return { preview, send: ({ email }) => email(target.to, message, noticeId) };
    }
    case "webhook": {
      const body = eventBody(notice);
      const event = { body, webhookId: noticeId, sentAt: now };
      return { preview: body, send: ({ webhook }) => webhook(target.url, target.secret, event) };
    }
    case "pagerduty": {
      const event = pagerDutyEvent(notice, publicUrl);
      return { preview: event.payload.summary, send: ({ pagerduty }) => pagerduty(target.routingKey, event) };
    }
    case "teams": {
      const message = teamsMessage(notice, publicUrl);
      return { preview: JSON.stringify(message), send: ({ teams }) => teams(target.url, message) };
    }
    case "discord": {
      const message = discordMessage(notice, publicUrl);
      return { preview: JSON.stringify(message), send: ({ discord }) => discord(target.url, message) };
    }
  }
}
