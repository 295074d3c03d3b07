// Sends notices to Teams through a Power Automate workflow. Its URL is a secret and appears in no log and no outcome.

import type { Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import { outcomeOf, PROVIDER_TIMEOUT_MS, postToProvider } from "./provider-post.ts";

export function teamsNotifier(
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs = PROVIDER_TIMEOUT_MS,
): Notifier["teams"] {
  return async (url, message) => {
    const posted = await postToProvider({
      url,
      body: JSON.stringify(message),
      allowsLocal: policy.allowsLocalTargets,
      timeoutMs,
    });
    return posted.kind === "ended" ? posted.outcome : outcomeOf(posted.answer, errorCode);
  };
}

/** Power Automate's `{"error":{"code":"WorkflowNotFound",…}}`. */
function errorCode(text: string): string | null {
  return /"code"\s*:\s*"([A-Za-z]+)"/.exec(text)?.[1] ?? null;
}
