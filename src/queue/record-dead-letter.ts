// Keeps a message that cannot be handled where an administrator finds it, and takes it off its queue.

import type { Ports } from "../ports/ports.ts";
import { backoffSeconds } from "./backoff.ts";

/** What a consumer needs of a `MessageBatch`: it settles messages one by one, never the batch. */
export type Batch = Pick<MessageBatch<unknown>, "queue" | "messages">;

/** `why`: in words. Acknowledges once it is recorded; until then the message comes again. */
export async function recordDeadLetter(
  { queue, message, why }: { queue: string; message: Message<unknown>; why: string },
  { deadLetters, log }: Pick<Ports, "deadLetters" | "log">,
): Promise<void> {
  const { id: messageId, body, attempts, timestamp } = message;
  try {
    await deadLetters.record({ queue, messageId, body, attempts, error: why, recordedAt: timestamp.getTime() });
    log.error("dead letter", null, { queue, message_id: messageId, why });
    message.ack();
  } catch (cause) {
    log.error("dead letter could not be recorded", cause, { queue, message_id: messageId });
    message.retry({ delaySeconds: backoffSeconds(attempts) });
  }
}
