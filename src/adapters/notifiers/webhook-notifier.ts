// Sends events to customers' webhooks, signed by Standard Webhooks. Only the status of the answer counts.

import type { Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import { signStandardWebhook } from "../../wire/signing.ts";
import { outcomeOf, PROVIDER_TIMEOUT_MS, postToProvider } from "./provider-post.ts";

/** @throws when the secret is empty or malformed. */
export function webhookNotifier(
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs = PROVIDER_TIMEOUT_MS,
): Notifier["webhook"] {
  return async (url, secret, { body, webhookId, sentAt }) => {
    const timestampSeconds = Math.floor(sentAt / 1_000);
    const signature = await signStandardWebhook(secret, { id: webhookId, timestampSeconds, body });
    const posted = await postToProvider({
      url,
      headers: {
        "webhook-id": webhookId,
        "webhook-timestamp": String(timestampSeconds),
        "webhook-signature": signature,
      },
      body,
      allowsLocal: policy.allowsLocalTargets,
      timeoutMs,
    });
    return posted.kind === "ended" ? posted.outcome : outcomeOf(posted.answer, () => null);
  };
}
