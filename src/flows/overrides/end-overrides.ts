// Records and audits overrides that have expired, announces them, and syncs LiteLLM's limits. The edge needs no write:
// its checks apply the end of an override themselves. The jobs sync-pending and announce-changes retry what fails here.

import type { Instant } from "../../budget/instant.ts";
import { syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantFault } from "../../records/tenant.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "../alerts/announce-change.ts";

/** One statement and a few requests to the queue. The next sweep takes the rest. */
const RECORDED_PER_RUN = 500;

/** Three requests each, of the thousand that a run of a Worker may make. announce-changes announces the rest. */
const ANNOUNCED_PER_RUN = 100;

/** One request each. The next sweep syncs the rest. */
const AHEAD_PER_RUN = 100;

/** The time until the next sweep. */
const AHEAD_MS = 60_000;

export async function endOverrides(
  { now }: { now: Instant },
  deps: AnnounceChangeDeps & Pick<Ports, "overrides" | "spendQueue">,
): Promise<void> {
  const { overrides, spendQueue, log } = deps;
  const onFault = ({ tenantId, cause }: TenantFault) =>
    log.error("override unreadable", cause, { tenant_id: tenantId });
  const ended = await overrides.recordEnds(RECORDED_PER_RUN, now, onFault);
  const tenantIds = new Set(ended.map(({ tenantId }) => tenantId));
  // Queued, because LiteLLM may be slow and the consumer syncs several tenants at once.
  if (tenantIds.size > 0) await spendQueue.sendAll([...tenantIds].map(syncMessage));
  for (const override of ended.slice(0, ANNOUNCED_PER_RUN)) {
    await tryAnnounceChange({ change: { eventType: "override_ended", override }, tenant: null, now }, deps);
  }

  const ending = await overrides.listEnding({ after: now, until: now + AHEAD_MS }, AHEAD_PER_RUN, onFault);
  for (const { tenantId, expiresAt } of ending) {
    await spendQueue.send(syncMessage(tenantId), Math.ceil((expiresAt - now) / 1_000));
  }
}
