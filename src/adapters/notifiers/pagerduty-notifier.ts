// Sends notices to PagerDuty's Events API v2. The routing key is a secret and appears in no log and no outcome.

import type { Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import { outcomeOf, PROVIDER_TIMEOUT_MS, postToProvider } from "./provider-post.ts";

/** `eventsUrl`: where PagerDuty takes events, without the path. */
export function pagerDutyNotifier(
  eventsUrl: string,
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs = PROVIDER_TIMEOUT_MS,
): Notifier["pagerduty"] {
  return async (routingKey, event) => {
    const posted = await postToProvider({
      url: `${eventsUrl}/v2/enqueue`,
      body: JSON.stringify({ ...event, routing_key: routingKey }),
      allowsLocal: policy.allowsLocalTargets,
      timeoutMs,
    });
    // An error is a sentence, which may quote the event.
    return posted.kind === "ended" ? posted.outcome : outcomeOf(posted.answer, () => null);
  };
}
