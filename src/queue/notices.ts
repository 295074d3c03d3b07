// The consumer of the notices queue. Handles each message separately, so no channel delays or repeats another. Never
// throws.

import { queueBackoffSeconds } from "../budget/schedules/backoff.ts";
import { sendNotice } from "../flows/notices/send-notice.ts";
import { mapConcurrently } from "../flows/waiting.ts";
import { noticeMessageSchema } from "../ports/messages.ts";
import type { Ports } from "../ports/ports.ts";
import { type Batch, recordDeadLetter } from "./record-dead-letter.ts";

/** A Worker may have six open connections; a notice uses one at a time. */
const AT_ONCE = 6;

export async function consumeNotices({ queue, messages }: Batch, ports: Ports): Promise<void> {
  await mapConcurrently(messages, AT_ONCE, (message) => consumeNotice(queue, message, ports));
}

async function consumeNotice(queue: string, message: Message<unknown>, ports: Ports): Promise<void> {
  const body = noticeMessageSchema.safeParse(message.body);
  // No retry can succeed.
  if (!body.success) return recordDeadLetter({ queue, message, why: "not a notice" }, ports);
  const { alert_id: alertId, channel_id: channelId } = body.data;
  const about = { alert_id: alertId, channel_id: channelId };
  try {
    const key = { alertId, channelId };
    const end = await sendNotice({ key, queue, messageId: message.id, now: ports.clock() }, ports);
    if (end.kind === "done") return message.ack();
    ports.log.info("notice delayed", { ...about, why: end.why, seconds: end.delaySeconds });
    message.retry({ delaySeconds: end.delaySeconds });
  } catch (cause) {
    ports.log.error("notice message failed", cause, about);
    message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
  }
}
