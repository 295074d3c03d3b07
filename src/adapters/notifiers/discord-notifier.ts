// Sends notices to Discord webhooks. Their URLs are secrets and appear in no log and no outcome.

import type { Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import { outcomeOf, PROVIDER_TIMEOUT_MS, type ProviderAnswer, postToProvider } from "./provider-post.ts";

/** Discord's codes of a webhook that is gone, and the name that the channel shows. */
const NAMES: Readonly<Record<string, string>> = {
  "10015": "unknown_webhook",
  "50006": "empty_message",
  "50027": "invalid_webhook_token",
  "50035": "invalid_form_body",
};

export function discordNotifier(
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs = PROVIDER_TIMEOUT_MS,
): Notifier["discord"] {
  return async (url, message) => {
    const posted = await postToProvider({
      url,
      body: JSON.stringify(message),
      allowsLocal: policy.allowsLocalTargets,
      timeoutMs,
    });
    return posted.kind === "ended" ? posted.outcome : outcomeOf(withRetryAfter(posted.answer), errorName);
  };
}

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
