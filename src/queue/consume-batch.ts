// Which consumer a batch belongs to. Never throws: a throw would deliver again what was acknowledged.

import type { Ports } from "../ports.ts";
import { consumeDeadLetters } from "./dead-letters.ts";
import { consumeNotices } from "./notices.ts";
import { consumeSpend } from "./spend.ts";

/** Every dead-letter queue is named after its queue, whatever prefix the deployment chose. */
const DEAD = /-dead$/;
const SPEND = /(^|-)spend$/;
const NOTICES = /(^|-)notices$/;

export async function consumeBatch(batch: MessageBatch<unknown>, ports: Ports): Promise<void> {
  try {
    if (DEAD.test(batch.queue)) await consumeDeadLetters(batch, ports);
    else if (SPEND.test(batch.queue)) await consumeSpend(batch, ports);
    else if (NOTICES.test(batch.queue)) await consumeNotices(batch, ports);
    else {
      ports.log.error("no consumer for this queue", null, { queue: batch.queue });
      batch.retryAll();
    }
  } catch (cause) {
    ports.log.error("consumer failed", cause, { queue: batch.queue });
    batch.retryAll();
  }
}
