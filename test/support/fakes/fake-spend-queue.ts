// A spend queue that records the messages and their delays. `isAway` makes it throw.

import type { SpendMessage } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { SpendQueue } from "../../../src/ports/ports.ts";

export class FakeSpendQueue implements SpendQueue {
  isAway = false;
  readonly sent: { message: SpendMessage; delaySeconds: number }[] = [];

  async send(message: SpendMessage, delaySeconds = 0) {
    if (this.isAway) throw new Outage("queue", "away", null);
    this.sent.push({ message, delaySeconds });
  }

  async sendAll(messages: readonly SpendMessage[], delaySecondsOf = (_index: number) => 0) {
    for (const [index, message] of messages.entries()) await this.send(message, delaySecondsOf(index));
  }
}
