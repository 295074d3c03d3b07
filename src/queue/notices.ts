// The consumer of the notices queue. Handles each message separately, so no channel delays or repeats another. Never
// throws.

import { queueBackoffSeconds } from "../budget/schedules/backoff.ts";
import type { MessageOutcome } from "../flows/notices/record-attempt.ts";
import { type QueuedNotice, sendBatch } from "../flows/notices/send-batch.ts";
import { noticeMessage, noticeMessageSchema } from "../ports/messages.ts";
import type { Ports } from "../ports/ports.ts";
import type { DeliveryKey } from "../records/delivery.ts";
import { type Batch, recordDeadLetter } from "./record-dead-letter.ts";

export async function consumeNotices({ queue, messages }: Batch, ports: Ports): Promise<void> {
  const notices: QueuedNotice[] = [];
  for (const message of messages) {
    const body = noticeMessageSchema.safeParse(message.body);
    if (body.success) {
      const { alert_id: alertId, channel_id: channelId } = body.data;
      notices.push(queuedNotice(message, { alertId, channelId }, ports));
      // No retry can succeed.
    } else await recordDeadLetter({ queue, message, why: "not a notice" }, ports);
  }
  try {
    await sendBatch({ notices, queue, random: Math.random }, ports);
  } catch (cause) {
    for (const notice of notices) notice.fail(cause);
  }
}

function queuedNotice(message: Message<unknown>, key: DeliveryKey, ports: Ports): QueuedNotice {
  const about = { alert_id: key.alertId, channel_id: key.channelId };
  return {
    key,
    messageId: message.id,
    async end(outcome) {
      if (outcome.kind === "done") return message.ack();
      const { why, delaySeconds } = outcome;
      ports.log.info("notice delayed", { ...about, why, seconds: delaySeconds });
      if (outcome.kind === "requeue" && (await requeue(key, outcome, ports))) message.ack();
      else message.retry({ delaySeconds });
    },
    fail(cause) {
      ports.log.error("notice message failed", cause, about);
      message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
    },
  };
}

/** False when the queue refuses. */
async function requeue(
  key: DeliveryKey,
  { delaySeconds }: Exclude<MessageOutcome, { readonly kind: "done" }>,
  { noticeQueue, log }: Pick<Ports, "noticeQueue" | "log">,
): Promise<boolean> {
  try {
    await noticeQueue.sendAll([noticeMessage(key)], delaySeconds);
    return true;
  } catch (cause) {
    log.error("notice not requeued", cause, { alert_id: key.alertId, channel_id: key.channelId });
    return false;
  }
}
