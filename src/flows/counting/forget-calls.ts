// Forgets counted calls that are too old to be counted again: a call is counted for an hour after its end.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";

const KEEP_MS = 2 * 3_600_000;

/** A thousand calls a second are 60,000 a minute. */
const CALLS_AT_ONCE = 10_000;
const BATCHES = 12;

export async function forgetCalls({ now }: { now: Instant }, { ledgers }: Pick<Ports, "ledgers">): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    if ((await ledgers.forgetCalls(now - KEEP_MS, CALLS_AT_ONCE)) < CALLS_AT_ONCE) return;
  }
}
