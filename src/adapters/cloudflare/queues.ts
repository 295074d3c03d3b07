// The producers of the queues. A send without an answer in time throws, and the caller decides what to do.

import type { NoticeMessage, SpendMessage } from "../../ports/messages.ts";
import type { NoticeQueue, ReplayQueues, SpendQueue } from "../../ports/ports.ts";
import { type QueueRole, queueRoleOf } from "../../ports/queue-names.ts";
import { versioned } from "../../wire/version.ts";
import { withBindingTimeout } from "./binding-timeout.ts";

/** A send takes tens of milliseconds. */
const TIMEOUT_MS = 2_000;

/** What `sendBatch` takes at once. Each message counts with some bytes of its own. */
const BATCH_MESSAGES = 100;
const BATCH_BYTES = 240_000;
const MESSAGE_BYTES = 200;

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
  return {
    sendAll: (messages: readonly NoticeMessage[], delaySeconds = 0) => sendAll(queue, messages, () => delaySeconds),
  };
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
  for (const batch of inBatches(requests)) {
    await withBindingTimeout("queue", "send", TIMEOUT_MS, queue.sendBatch(batch));
  }
}

/** In order. A message that is too large for any batch is alone in one. */
function inBatches<T extends { readonly body: object }>(requests: readonly T[]): T[][] {
  const batches: T[][] = [];
  let bytes = 0;
  for (const request of requests) {
    const size = new TextEncoder().encode(JSON.stringify(request.body)).length + MESSAGE_BYTES;
    const last = batches.at(-1);
    if (last !== undefined && last.length < BATCH_MESSAGES && bytes + size <= BATCH_BYTES) last.push(request);
    else {
      batches.push([request]);
      bytes = 0;
    }
    bytes += size;
  }
  return batches;
}
