// Puts a dead letter back on its queue. Replaying it twice does no harm, because the queues deliver at least once
// anyway.

import { noticeMessageSchema } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { DeadLetterRecord } from "../../records/dead-letter.ts";
import type { Actor } from "../../records/tenant.ts";

export type ReplayFailure = "not_found" | "unknown_queue";

/** Marks the letter as replayed once its queue has it. @throws Outage when Postgres or the queue cannot be reached. */
export async function replayDeadLetter(
  { id, actor }: { id: string; actor: Actor },
  { deadLetters, deliveries, replayQueues }: Pick<Ports, "deadLetters" | "deliveries" | "replayQueues">,
): Promise<Result<DeadLetterRecord, ReplayFailure>> {
  const letter = await deadLetters.load(id);
  if (letter === null) return failure("not_found");
  const notice = noticeMessageSchema.safeParse(letter.body);
  // Revived before the message is sent, because a consumer skips a delivery that has ended.
  if (notice.success) {
    const { alert_id: alertId, channel_id: channelId } = notice.data;
    await deliveries.revive({ alertId, channelId }, actor.now);
  }
  if (!(await replayQueues.send(letter.queue, letter.body))) return failure("unknown_queue");
  await deadLetters.markReplayed(id, actor);
  return success({ ...letter, replayedAt: actor.now, replayedBy: actor.name });
}
