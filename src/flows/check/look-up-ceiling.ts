// The ceiling on look-ups of unknown keys, per network and per isolate. Only guesses use it up: a key that LiteLLM has
// gives its token back. A refused key that waits and is asked again is looked up from a reserve, so that no flood of
// guesses keeps the key of a neighbour from being found.

import type { Instant } from "../../budget/instant.ts";
import type { TokenRate } from "../../ports/edge.ts";
import type { Ports } from "../../ports/ports.ts";
import type { CallerName } from "../../records/edge.ts";

/** A network with this many new keys at once is rare; a guesser sends thousands. */
export const PER_NETWORK: TokenRate = { burst: 30, perMinute: 60 };
const PER_ISOLATE: TokenRate = { burst: 300, perMinute: 600 };
const RESERVE: TokenRate = { burst: 10, perMinute: 60 };

const ISOLATE = "look-ups";
const networkBucket = (network: string) => `look-ups:${network}`;
const reserveBucket = (network: string) => `look-ups again:${network}`;

/** How long a refused key is known as refused. A real client asks again sooner. */
const REFUSED_SECONDS = 60;

/** The `Retry-After` of a refusal. The reserve is for callers that heed it, which a flood of guesses does not. */
const WAIT_SECONDS = 1;

/** True when the stores may be asked about the caller. */
export function mayLookUp(
  { caller, network, now }: { caller: CallerName; network: string; now: Instant },
  { memory }: Pick<Ports, "memory">,
): boolean {
  if (memory.takeToken(networkBucket(network), PER_NETWORK, now)) {
    if (memory.takeToken(ISOLATE, PER_ISOLATE, now)) return true;
    memory.returnToken(networkBucket(network));
  }
  const isFirstTime = memory.throttle(`refused:${caller}`, REFUSED_SECONDS, now);
  const hasWaited = memory.throttle(`refused again:${caller}`, WAIT_SECONDS, now);
  return !isFirstTime && hasWaited && memory.takeToken(reserveBucket(network), RESERVE, now);
}

/** The look-up was no guess. */
export function giveBackLookUp(network: string, { memory }: Pick<Ports, "memory">): void {
  memory.returnToken(networkBucket(network));
  memory.returnToken(ISOLATE);
}
