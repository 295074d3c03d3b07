// Sends notices to Slack incoming webhooks. Their URLs are secrets and appear in no log and no outcome.

import type { Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import { outcomeOf, PROVIDER_TIMEOUT_MS, postToProvider } from "./provider-post.ts";

export function slackNotifier(
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs = PROVIDER_TIMEOUT_MS,
): Notifier["slack"] {
  return async (url, message) => {
    const posted = await postToProvider({
      url,
      body: JSON.stringify(message),
      allowsLocal: policy.allowsLocalTargets,
      timeoutMs,
    });
    // Slack's body is just the error name, such as `invalid_token` or `no_service`.
    return posted.kind === "ended" ? posted.outcome : outcomeOf(posted.answer, (text) => text.trim());
  };
}
