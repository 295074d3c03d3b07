// Which consumer a batch belongs to. Never throws: a throw would deliver again what was acknowledged.

import { isDeadLetterQueue, queueRoleOf } from "../messages.ts";
import type { Ports } from "../ports.ts";
import { consumeDeadLetters } from "./dead-letters.ts";
import { consumeNotices } from "./notices.ts";
import { consumeSpend } from "./spend.ts";

export async function consumeBatch(batch: MessageBatch<unknown>, ports: Ports): Promise<void> {
  try {
    const role = queueRoleOf(batch.queue);
    if (isDeadLetterQueue(batch.queue)) await consumeDeadLetters(batch, ports);
    else if (role === "spend") await consumeSpend(batch, ports);
    else if (role === "notices") await consumeNotices(batch, ports);
    else {
      ports.log.error("no consumer for this queue", null, { queue: batch.queue });
      batch.retryAll();
    }
  } catch (cause) {
    ports.log.error("consumer failed", cause, { queue: batch.queue });
    batch.retryAll();
  }
}
