// Notices to Slack's incoming webhooks. The address of one is a secret: it is in no log and in no outcome.

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
    // Slack's whole answer is the name of the error: `invalid_token`, `no_service`.
    return posted.kind === "ended" ? posted.outcome : outcomeOf(posted.answer, (text) => text.trim());
  };
}
