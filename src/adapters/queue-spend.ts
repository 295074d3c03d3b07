// The producer's side of the spend queue.

import type { SpendMessage } from "../messages.ts";
import { Outage } from "../outage.ts";
import type { SpendQueue } from "../ports.ts";

export function queueSpend(queue: Queue): SpendQueue {
  return {
    async send(message: SpendMessage, delaySeconds = 0) {
      try {
        await queue.send(message, { contentType: "json", delaySeconds });
      } catch (cause) {
        throw new Outage("queue", "send", cause);
      }
    },
  };
}
