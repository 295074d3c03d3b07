// The last stop: what no consumer could handle is recorded for an administrator.

import type { Ports } from "../ports/ports.ts";
import { isOfLaterRelease } from "../wire/version.ts";
import { backoffSeconds } from "./backoff.ts";
import { type Batch, recordDeadLetter } from "./record-dead-letter.ts";

type Deps = Pick<Ports, "deadLetters" | "replayQueues" | "log">;

export async function consumeDeadLetters({ queue, messages }: Batch, ports: Deps): Promise<void> {
  for (const message of messages) {
    if (isOfLaterRelease(message.body)) await returnToQueue(queue, message, ports);
    else await recordDeadLetter({ queue, message, why: "gave up after the last retry" }, ports);
  }
}

/** A message of a later release is not broken: it starts over until a Worker that can read it is deployed. */
async function returnToQueue(queue: string, message: Message<unknown>, { replayQueues, log }: Deps): Promise<void> {
  try {
    await replayQueues.send(queue, message.body);
    message.ack();
  } catch (cause) {
    log.error("message of a later release could not be returned to its queue", cause, {
      queue,
      message_id: message.id,
    });
    message.retry({ delaySeconds: backoffSeconds(message.attempts) });
  }
}
