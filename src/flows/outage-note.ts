// Since when LiteLLM is out, as the sweep has noted in KV. What is read is kept in the isolate, also when it comes too
// late for the answer that asked, so that a slow KV does not keep an open policy open.

import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports/ports.ts";

/** Begins to look at once; whoever needs the note waits for it as long as it can afford. Null: no outage. */
export function lookForOutage(
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
