// The consumer of the dead-letter queues: records messages that no consumer could handle, for an operator to replay.

import { queueBackoffSeconds } from "../budget/schedules/backoff.ts";
import type { Ports } from "../ports/ports.ts";
import { isOfLaterRelease } from "../wire/version.ts";
import { type Batch, recordDeadLetter } from "./record-dead-letter.ts";

type Deps = Pick<Ports, "deadLetters" | "replayQueues" | "log">;

export async function consumeDeadLetters({ queue, messages }: Batch, ports: Deps): Promise<void> {
  for (const message of messages) {
    if (isOfLaterRelease(message.body)) await returnToQueue(queue, message, ports);
    else await recordDeadLetter({ queue, message, why: "gave up after the last retry" }, ports);
  }
}

/** A message of a later release is valid: it goes back to its queue until a Worker that can read it is deployed. */
async function returnToQueue(queue: string, message: Message<unknown>, deps: Deps): Promise<void> {
  const { replayQueues, log } = deps;
  try {
    if (await replayQueues.send(queue, message.body)) return message.ack();
  } catch (cause) {
    log.error("later release message not requeued", cause, {
      queue,
      message_id: message.id,
    });
    message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
    return;
  }
  // The name of the dead-letter queue does not say which queue it belongs to.
  await recordDeadLetter({ queue, message, why: "of a later release, and its queue is not known" }, deps);
}
