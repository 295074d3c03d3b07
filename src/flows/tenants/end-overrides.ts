// Overrides that have run out: written down and audited, told, and LiteLLM's limits follow. At the edge there is nothing
// to do, which reckons with their ends itself. Whatever fails here is made up for by sync-pending and announce-changes.

import type { Instant } from "../../budget/instant.ts";
import { syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "../alerts/announce-change.ts";

/** One statement, and a few requests to the queue. What is left is the next minute's. */
const NOTED_PER_RUN = 500;

/** Three requests each, of the thousand that a run of a Worker may make. What is left announce-changes finds. */
const TOLD_PER_RUN = 100;

/** A request each. What is left LiteLLM hears with the next sweep. */
const AHEAD_PER_RUN = 100;

/** Until the next sweep. */
const AHEAD_MS = 60_000;

export async function endOverrides(
  { now }: { now: Instant },
  deps: AnnounceChangeDeps & Pick<Ports, "overrides" | "spendQueue">,
): Promise<void> {
  const { overrides, spendQueue } = deps;
  const ended = await overrides.noteEnds(NOTED_PER_RUN, now);
  const tenantIds = new Set(ended.map(({ tenantId }) => tenantId));
  // Not one by one from here: LiteLLM may take its time, and the consumer syncs many at once.
  if (tenantIds.size > 0) await spendQueue.sendAll([...tenantIds].map(syncMessage));
  for (const override of ended.slice(0, TOLD_PER_RUN)) {
    await tryAnnounceChange({ change: { eventType: "override_ended", override }, tenant: null, now }, deps);
  }

  const ending = await overrides.listEnding({ after: now, until: now + AHEAD_MS }, AHEAD_PER_RUN);
  for (const { tenantId, expiresAt } of ending) {
    await spendQueue.send(syncMessage(tenantId), Math.ceil((expiresAt - now) / 1_000));
  }
}
