// The ChannelBreakers port in the memory of an isolate. Only plain data; another isolate finds out for itself.

import type { Instant } from "../../budget/instant.ts";
import { BREAKER } from "../../budget/schedules/backoff.ts";
import type { ChannelBreakers } from "../../ports/ports.ts";
import type { ChannelId } from "../../records/channel.ts";
import { BoundedMap } from "./bounded-map.ts";

interface Silence {
  readonly failures: number;
  /** Until when no attempt is made. */
  readonly openUntil: Instant;
}

/** Some four thousand silent channels. */
const MAX_BYTES = 1_000_000;

export class IsolateBreakers implements ChannelBreakers {
  readonly #silent = new BoundedMap<ChannelId, Silence>(MAX_BYTES);

  admits(channelId: ChannelId, now: Instant): boolean {
    const silence = this.#silent.get(channelId);
    if (silence === undefined || silence.failures < BREAKER.failures) return true;
    if (now < silence.openUntil) return false;
    // This attempt is the probe. The others wait for its answer.
    this.#silent.set(channelId, { ...silence, openUntil: now + BREAKER.openMs });
    return true;
  }

  note(channelId: ChannelId, isAnswered: boolean, now: Instant): void {
    if (isAnswered) this.#silent.delete(channelId);
    else {
      const failures = (this.#silent.get(channelId)?.failures ?? 0) + 1;
      this.#silent.set(channelId, { failures, openUntil: now + BREAKER.openMs });
    }
  }
}
