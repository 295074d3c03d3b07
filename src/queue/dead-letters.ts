// The last stop: what no consumer could handle is kept in Postgres, where an administrator finds it.

import type { Ports } from "../ports.ts";
import { backoffSeconds } from "./backoff.ts";

export async function consumeDeadLetters(batch: MessageBatch<unknown>, ports: Pick<Ports, "deadLetters" | "log">) {
  for (const message of batch.messages) {
    try {
      await ports.deadLetters.record({
        queue: batch.queue,
        messageId: message.id,
        body: message.body,
        attempts: message.attempts,
        error: "gave up after the last retry",
        recordedAt: message.timestamp.getTime(),
      });
      ports.log.error("dead letter", null, { queue: batch.queue, message_id: message.id });
      message.ack();
    } catch (cause) {
      ports.log.error("dead letter could not be recorded", cause, { queue: batch.queue, message_id: message.id });
      message.retry({ delaySeconds: backoffSeconds(message.attempts) });
    }
  }
}
