// The producer's side of the spend queue.

import type { SpendMessage } from "../messages.ts";
import type { SpendQueue } from "../ports.ts";
import { bounded } from "./bounded.ts";

/** A send takes some ten milliseconds. */
const TIMEOUT_MS = 2_000;

export function queueSpend(queue: Queue): SpendQueue {
  return {
    async send(message: SpendMessage, delaySeconds = 0) {
      await bounded("queue", "send", TIMEOUT_MS, queue.send(message, { contentType: "json", delaySeconds }));
    },
  };
}
