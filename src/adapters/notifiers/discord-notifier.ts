// Sends notices to Discord.

import type { DiscordMessage } from "../../notices/providers/discord.ts";
import { chatNotifier } from "./chat-notifier.ts";
import { outcomeOf, type ProviderAnswer } from "./provider-post.ts";

/** Discord's codes of a webhook that is gone, and the name that the channel shows. */
const NAMES: Readonly<Record<string, string>> = {
  "10015": "unknown_webhook",
  "50006": "empty_message",
  "50027": "invalid_webhook_token",
  "50035": "invalid_form_body",
};

export const discordNotifier = chatNotifier<DiscordMessage>((answer) => outcomeOf(withRetryAfter(answer), errorName));

function errorName(text: string): string | null {
  return NAMES[numberField(text, "code") ?? ""] ?? null;
}

/** The body of a 429 has the time to wait in seconds, with decimals; its header has whole seconds, or is missing. */
function withRetryAfter(answer: ProviderAnswer): ProviderAnswer {
  const seconds = answer.status === 429 ? numberField(answer.text, "retry_after") : null;
  return seconds === null ? answer : { ...answer, retryAfterSeconds: Math.ceil(Number(seconds)) };
}

function numberField(text: string, field: string): string | null {
  return new RegExp(`"${field}"\\s*:\\s*(\\d+(?:\\.\\d+)?)`).exec(text)?.[1] ?? null;
}
