// Tells people of changes that nobody has told them of, because who made them died in between. Found by level: an audited
// change without its alert. Two sweeps that overlap tell once, because an alert is recorded once.

import type { Instant } from "../../budget/tenant.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "./announce-change.ts";

/** Whoever has just made a change is telling of it at this moment. */
const IN_FLIGHT_MS = 30_000;

/** A weekend without a sweep is made up for; what is older is no news to anybody. */
const LOOK_BACK_MS = 3 * 86_400_000;

/** Three requests each. What is left is the next minute's. */
const CHANGES_PER_RUN = 100;

export async function announceChanges({ now }: { now: Instant }, deps: AnnounceChangeDeps): Promise<void> {
  const audited = { since: now - LOOK_BACK_MS, until: now - IN_FLIGHT_MS };
  const unannounced = await deps.alerts.listUnannounced(audited, CHANGES_PER_RUN);
  if (unannounced.length > 0) deps.log.warn("changes are announced late", { changes: unannounced.length });
  // Whoever has heard that a tenant goes on must not hear afterwards that it is suspended: that is recorded only.
  for (const { change, isUndone } of unannounced) {
    await tryAnnounceChange({ change, tenant: null, isSilent: isUndone, now }, deps);
  }
}
