// Since when LiteLLM is out: the sweep keeps the note in KV, checks read it. It bounds how long a fail-open policy stays
// open. What is read is kept in the isolate, also when it comes too late for the answer that asked.

import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";

type Deps = Pick<Ports, "litellm" | "snapshots" | "log">;

export async function noteOutage({ now }: { now: Instant }, { litellm, snapshots, log }: Deps): Promise<void> {
  const answer = await litellm.ping();
  const noted = await snapshots.outageStartedAt();
  if (answer.ok && noted !== null) {
    log.info("litellm is back", { out_seconds: Math.round((now - noted) / 1_000) });
    await snapshots.writeOutage(null);
  }
  if (!answer.ok && noted === null) {
    log.error("litellm is out", null, { why: answer.failure.kind });
    await snapshots.writeOutage(now);
  }
}

/** Begins to look at once; whoever needs the note waits for it as long as it can afford. Null: no outage. */
export function findOutage(
  { now }: { now: Instant },
  { memory, snapshots, background }: Pick<Ports, "memory" | "snapshots" | "background">,
): Promise<Instant | null> {
  const remembered = memory.outage(now);
  if (remembered !== undefined) return Promise.resolve(remembered);
  const look = snapshots.outageStartedAt().then((startedAt) => {
    memory.rememberOutage(startedAt, now);
    return startedAt;
  });
  background("read the outage note", look);
  return look;
}
