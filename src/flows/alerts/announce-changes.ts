// Announces changes without an alert, because the process died first. Level-triggered. Two overlapping sweeps announce
// a change once, because its alert is recorded once.

import type { Instant } from "../../budget/instant.ts";
import type { TenantFault } from "../../records/tenant.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "./announce-change.ts";

/** The request or the consumer that made a change announces it within this time. */
const IN_FLIGHT_MS = 30_000;

/** Covers a weekend without a sweep. Older changes are no longer news. */
const WINDOW_MS = 3 * 86_400_000;

/** Of each source; three requests each. The next sweep takes the rest. */
const CHANGES_PER_RUN = 100;

export async function announceChanges({ now }: { now: Instant }, deps: AnnounceChangeDeps): Promise<void> {
  const within = { since: now - WINDOW_MS, until: now - IN_FLIGHT_MS };
  const onFault = ({ tenantId, cause }: TenantFault) =>
    deps.log.error("change unreadable", cause, { tenant_id: tenantId });
  const unannounced = await deps.alerts.listUnannounced(within, CHANGES_PER_RUN, onFault);
  if (unannounced.length > 0) deps.log.warn("unannounced changes found", { changes: unannounced.length });
  // A change that has since been reverted is recorded silently, so that notices never arrive out of order.
  for (const { change, isReverted } of unannounced) {
    await tryAnnounceChange({ change, tenant: null, isSilent: isReverted, now }, deps);
  }
}
