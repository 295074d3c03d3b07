// Routes a batch to its consumer. Never throws: a throw would redeliver acknowledged messages.

import type { Ports } from "../ports/ports.ts";
import { isDeadLetterQueue, queueRoleOf } from "../ports/queue-names.ts";
import { isOfLaterRelease } from "../wire/version.ts";
import { consumeDeadLetters } from "./dead-letters.ts";
import { consumeNotices } from "./notices.ts";
import { consumeSpend } from "./spend.ts";

/** A gradual deploy or a rollback takes minutes; after it, a Worker of the later release can read the message. */
const LATER_RELEASE_RETRY_SECONDS = 300;

export async function consumeBatch(batch: MessageBatch<unknown>, ports: Ports): Promise<void> {
  try {
    // First, because a dead-letter queue may have any name: without a consumer its messages would be lost for good.
    if (isDeadLetterQueue(batch.queue)) return await consumeDeadLetters(batch, ports);
    const role = queueRoleOf(batch.queue);
    if (role === null) {
      ports.log.error("queue without consumer", null, { queue: batch.queue });
      batch.retryAll();
      return;
    }
    const messages = withoutLaterReleases(batch, ports);
    if (messages.length === 0) return;
    if (role === "spend") await consumeSpend({ queue: batch.queue, messages }, ports);
    else await consumeNotices({ queue: batch.queue, messages }, ports);
  } catch (cause) {
    ports.log.error("consumer failed", cause, { queue: batch.queue });
    batch.retryAll();
  }
}

/** Retries messages that only a later release can read. If they become dead letters, dead-letters.ts requeues them. */
function withoutLaterReleases({ queue, messages }: MessageBatch<unknown>, { log }: Pick<Ports, "log">) {
  const later = messages.filter(({ body }) => isOfLaterRelease(body));
  if (later.length === 0) return messages;
  log.warn("later release messages retried", { queue, messages: later.length });
  for (const message of later) message.retry({ delaySeconds: LATER_RELEASE_RETRY_SECONDS });
  return messages.filter((message) => !later.includes(message));
}
