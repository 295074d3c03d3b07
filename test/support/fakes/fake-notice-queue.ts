// A notices queue that records what was sent. `isAway` makes it throw.

import type { NoticeMessage } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { NoticeQueue } from "../../../src/ports/ports.ts";

export class FakeNoticeQueue implements NoticeQueue {
  isAway = false;
  readonly sent: NoticeMessage[] = [];
  /** The delay of each sent message, in seconds. */
  readonly delays: number[] = [];

  async sendAll(messages: readonly NoticeMessage[], delaySeconds = 0) {
    if (this.isAway) throw new Outage("queue", "away", null);
    this.sent.push(...messages);
    this.delays.push(...messages.map(() => delaySeconds));
  }
}
