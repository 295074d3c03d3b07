// The last stop: what no consumer could handle.

import type { Ports } from "../ports.ts";
import { recordDeadLetter } from "./record-dead-letter.ts";

export async function consumeDeadLetters(batch: MessageBatch<unknown>, ports: Pick<Ports, "deadLetters" | "log">) {
  for (const message of batch.messages) {
    await recordDeadLetter({ queue: batch.queue, message, why: "gave up after the last retry" }, ports);
  }
}
