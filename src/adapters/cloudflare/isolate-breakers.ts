// The ChannelBreakers port in the memory of an isolate. Only plain data; another isolate finds out for itself.

import type { Instant } from "../../budget/instant.ts";
import { BREAKER } from "../../budget/schedules/pacing.ts";
import type { ChannelBreakers } from "../../ports/ports.ts";
import type { ChannelId } from "../../records/channel.ts";
import { BoundedMap } from "./bounded-map.ts";

interface Breaker {
  readonly failures: number;
  /** Until when no attempt is made. */
  readonly openUntil: Instant;
}

/** Some four thousand channels that do not answer. */
const MAX_BYTES = 1_000_000;

export class IsolateBreakers implements ChannelBreakers {
  readonly #breakers = new BoundedMap<ChannelId, Breaker>(MAX_BYTES);

  admits(channelId: ChannelId, now: Instant): boolean {
    const breaker = this.#breakers.get(channelId);
    if (breaker === undefined || breaker.failures < BREAKER.failures) return true;
    if (now < breaker.openUntil) return false;
    // This attempt is the probe. The others wait for its answer.
    this.#breakers.set(channelId, { ...breaker, openUntil: now + BREAKER.openMs });
    return true;
  }

  note(channelId: ChannelId, isAnswered: boolean, now: Instant): void {
    if (isAnswered) this.#breakers.delete(channelId);
    else {
      const failures = (this.#breakers.get(channelId)?.failures ?? 0) + 1;
      this.#breakers.set(channelId, { failures, openUntil: now + BREAKER.openMs });
    }
  }
}
