// The spend queue's consumer: parses, lets the batch be recorded, acknowledges message by message.

import type { Instant } from "../budget/tenant.ts";
import type { Incoming } from "../flows/fold-account.ts";
import { recordSpend } from "../flows/record-spend.ts";
import { spendMessageSchema } from "../messages.ts";
import type { Ports } from "../ports.ts";
import { backoffSeconds } from "./backoff.ts";
import { recordDeadLetter } from "./record-dead-letter.ts";

export async function consumeSpend(batch: MessageBatch<unknown>, ports: Ports): Promise<void> {
  const now = ports.clock();
  const parsed = new Map<Incoming, Message<unknown>>();
  for (const message of batch.messages) {
    const body = spendMessageSchema.safeParse(message.body);
    if (body.success) {
      const { id: messageId, attempts } = message;
      parsed.set({ body: body.data, messageId, isRedelivery: attempts > 1 }, message);
    } else {
      // No retry can mend it.
      await recordDeadLetter({ queue: batch.queue, message, why: "not a spend message" }, ports);
    }
  }
  const failed = await recordOrFail([...parsed.keys()], now, ports);
  for (const [incoming, message] of parsed) {
    if (failed.has(incoming)) message.retry({ delaySeconds: backoffSeconds(message.attempts) });
    else message.ack();
  }
}

async function recordOrFail(incoming: readonly Incoming[], now: Instant, ports: Ports): Promise<ReadonlySet<Incoming>> {
  if (incoming.length === 0) return new Set();
  try {
    return await recordSpend({ incoming, now }, ports);
  } catch (cause) {
    ports.log.error("spend messages failed", cause, { messages: incoming.length });
    return new Set(incoming);
  }
}
