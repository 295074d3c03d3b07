// The outage note: since when LiteLLM has been out. The sweep pings LiteLLM once a minute; an outage lasts from the
// first failed ping to the next that succeeds. src/adapters/litellm/litellm-client.ts says what fails a ping. Checks
// read the note to limit how long a fail-open policy stays open; an isolate caches it, even when it arrives too late
// for its check.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";

type Deps = Pick<Ports, "litellm" | "snapshots" | "log">;

export async function noteOutage({ now }: { now: Instant }, { litellm, snapshots, log }: Deps): Promise<void> {
  const answer = await litellm.ping();
  const noted = await snapshots.outageStartedAt();
  if (answer.ok && noted !== null) {
    log.info("litellm outage ended", { out_seconds: Math.round((now - noted) / 1_000) });
    await snapshots.writeOutage(null);
  }
  if (!answer.ok && noted === null) {
    log.error("litellm outage began", null, { why: answer.failure.kind });
    await snapshots.writeOutage(now);
  }
}

/** Starts to read the note at once; the caller limits how long it waits. Null when there is no outage. */
export function findOutage(
  { now }: { now: Instant },
  { memory, snapshots, background }: Pick<Ports, "memory" | "snapshots" | "background">,
): Promise<Instant | null> {
  const remembered = memory.outage(now);
  if (remembered !== undefined) return Promise.resolve(remembered);
  const lookup = snapshots.outageStartedAt().then((startedAt) => {
    memory.rememberOutage(startedAt, now);
    return startedAt;
  });
  background("kv outage read", lookup);
  return lookup;
}
