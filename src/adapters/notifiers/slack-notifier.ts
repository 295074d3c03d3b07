// Sends notices to Slack.

import type { SlackMessage } from "../../notices/notice.ts";
import { chatNotifier } from "./chat-notifier.ts";
import { outcomeOf } from "./provider-post.ts";

/** Slack's body is just the error name, such as `invalid_token` or `no_service`. */
export const slackNotifier = chatNotifier<SlackMessage>((answer) => outcomeOf(answer, (text) => text.trim()));
