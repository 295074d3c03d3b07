// Makes up for whoever advanced a period and died before people were told. Bounded; what fails is the next minute's.

import type { Instant } from "../budget/tenant.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "./alerts/announce-change.ts";
import { newPeriodOf } from "./alerts/announce-period.ts";

/** Whoever has just seen the period is telling people at this moment. */
const IN_FLIGHT_MS = 60_000;

/** Two statements and a send each: half a minute's work. Only what was left behind comes here. */
const TENANTS_PER_RUN = 200;

export async function announcePeriods({ now }: { now: Instant }, deps: AnnounceChangeDeps): Promise<void> {
  const left = await deps.tenants.findUnannounced(now - IN_FLIGHT_MS, TENANTS_PER_RUN);
  for (const tenant of left) await tryAnnounceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}
