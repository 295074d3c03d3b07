// The producers of the queues. A send without an answer in time throws, and the caller decides what to do.

import { type NoticeMessage, type QueueRole, queueRoleOf, type SpendMessage } from "../../ports/messages.ts";
import type { NoticeQueue, ReplayQueues, SpendQueue } from "../../ports/ports.ts";
import { versioned } from "../../wire/version.ts";
import { withBindingTimeout } from "./binding-timeout.ts";

/** A send takes tens of milliseconds. */
const TIMEOUT_MS = 2_000;

/**
 * `sendBatch` takes at most 100 messages and 256 KB. Bursar's messages are well below 2 KB each; only a reconcile
 * message may reach 13 KB, and the sweep sends at most 17 of those.
 */
const BATCH_MESSAGES = 100;

export function queueSpend(queue: Queue): SpendQueue {
  return {
    async send(message: SpendMessage, delaySeconds = 0) {
      await withBindingTimeout(
        "queue",
        "send",
        TIMEOUT_MS,
        queue.send(versioned(message), { contentType: "json", delaySeconds }),
      );
    },
    sendAll: (messages, delaySecondsOf) => sendAll(queue, messages, delaySecondsOf),
  };
}

export function queueNotices(queue: Queue): NoticeQueue {
  return { sendAll: (messages: readonly NoticeMessage[]) => sendAll(queue, messages) };
}

export function replayQueues(queues: Readonly<Record<QueueRole, Queue>>): ReplayQueues {
  return {
    async send(name, body) {
      const role = queueRoleOf(name);
      if (role === null) return false;
      await withBindingTimeout("queue", "send", TIMEOUT_MS, queues[role].send(body, { contentType: "json" }));
      return true;
    },
  };
}

/** Sends the batches in order, so that after a failure the sent messages are a prefix of the list. */
async function sendAll(
  queue: Queue,
  messages: readonly object[],
  delaySecondsOf = (_index: number) => 0,
): Promise<void> {
  const requests = messages.map((body, index) => ({
    body: versioned(body),
    contentType: "json" as const,
    delaySeconds: delaySecondsOf(index),
  }));
  for (let from = 0; from < requests.length; from += BATCH_MESSAGES) {
    await withBindingTimeout("queue", "send", TIMEOUT_MS, queue.sendBatch(requests.slice(from, from + BATCH_MESSAGES)));
  }
}
