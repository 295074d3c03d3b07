// Sends a chat's messages to its incoming webhooks. Their URLs are secrets and appear in no log and no outcome.

import type { Policy } from "../../ports/policy.ts";
import type { SendOutcome } from "../../records/delivery.ts";
import { PROVIDER_TIMEOUT_MS, type ProviderAnswer, postToProvider } from "./provider-post.ts";

type ChatNotifier<Message> = (
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs?: number,
) => (url: string, message: Message) => Promise<SendOutcome>;

/** `outcomeOfAnswer`: how the chat says what has become of a message. */
export function chatNotifier<Message>(outcomeOfAnswer: (answer: ProviderAnswer) => SendOutcome): ChatNotifier<Message> {
  return ({ allowsLocalTargets: allowsLocal }, timeoutMs = PROVIDER_TIMEOUT_MS) =>
    async (url, message) => {
      const posted = await postToProvider({ url, body: JSON.stringify(message), allowsLocal, timeoutMs });
      return posted.kind === "ended" ? posted.outcome : outcomeOfAnswer(posted.answer);
    };
}
