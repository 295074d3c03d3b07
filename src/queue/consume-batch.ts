// Which consumer a batch belongs to. Never throws: a throw would deliver again what was acknowledged.

import { isDeadLetterQueue, queueRoleOf } from "../ports/messages.ts";
import type { Ports } from "../ports/ports.ts";
import { isOfLaterRelease } from "../wire/version.ts";
import { consumeDeadLetters } from "./dead-letters.ts";
import { consumeNotices } from "./notices.ts";
import { consumeSpend } from "./spend.ts";

/** A gradual deploy takes minutes, a rollback ends it; a Worker that knows the version takes the message then. */
const LATER_RELEASE_RETRY_SECONDS = 300;

export async function consumeBatch(batch: MessageBatch<unknown>, ports: Ports): Promise<void> {
  try {
    const role = queueRoleOf(batch.queue);
    if (role === null) {
      ports.log.error("no consumer for this queue", null, { queue: batch.queue });
      batch.retryAll();
      return;
    }
    if (isDeadLetterQueue(batch.queue)) return await consumeDeadLetters(batch, ports);
    const messages = withoutLaterReleases(batch, ports);
    if (messages.length === 0) return;
    if (role === "spend") await consumeSpend({ queue: batch.queue, messages }, ports);
    else await consumeNotices({ queue: batch.queue, messages }, ports);
  } catch (cause) {
    ports.log.error("consumer failed", cause, { queue: batch.queue });
    batch.retryAll();
  }
}

/** Retries what only a later release can read. Dead letters of such messages return to their queue: see dead-letters.ts. */
function withoutLaterReleases({ queue, messages }: MessageBatch<unknown>, { log }: Pick<Ports, "log">) {
  const later = messages.filter(({ body }) => isOfLaterRelease(body));
  if (later.length === 0) return messages;
  log.warn("messages of a later release are retried", { queue, messages: later.length });
  for (const message of later) message.retry({ delaySeconds: LATER_RELEASE_RETRY_SECONDS });
  return messages.filter((message) => !later.includes(message));
}
