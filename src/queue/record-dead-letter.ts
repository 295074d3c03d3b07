// Records a message that cannot be handled as a dead letter, and acknowledges it.

import { queueBackoffSeconds } from "../budget/schedules/backoff.ts";
import type { Ports } from "../ports/ports.ts";

/** The part of a `MessageBatch` that a consumer uses: it acknowledges or retries single messages, never the batch. */
export type Batch = Pick<MessageBatch<unknown>, "queue" | "messages">;

/** `why`: for an operator to read. Acknowledges the message once it is recorded; until then the queue redelivers it. */
export async function recordDeadLetter(
  { queue, message, why }: { queue: string; message: Message<unknown>; why: string },
  { deadLetters, log }: Pick<Ports, "deadLetters" | "log">,
): Promise<void> {
  const { id: messageId, body, attempts, timestamp } = message;
  try {
    await deadLetters.record({ queue, messageId, body, attempts, error: why, recordedAt: timestamp.getTime() });
    log.error("dead letter recorded", null, { queue, message_id: messageId, why });
    message.ack();
  } catch (cause) {
    log.error("dead letter not recorded", cause, { queue, message_id: messageId });
    message.retry({ delaySeconds: queueBackoffSeconds(attempts) });
  }
}
