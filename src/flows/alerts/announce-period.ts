// Tells people that a new period has begun, once. Found by level: whoever advanced the period and died before telling has
// left a mark, which the next consumer or the next sweep sees.

import { type Instant, periodStartedAt } from "../../budget/tenant.ts";
import type { AnnouncedChange } from "../../records/alert-record.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceChangeDeps, announceChange, tryAnnounceChange } from "./announce-change.ts";

/** @throws when Postgres or the queue cannot be reached. */
export async function announcePeriod(tenant: TenantRecord, now: Instant, deps: AnnounceChangeDeps): Promise<void> {
  if (tenant.periodAnnounced) return;
  await announceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}

export function newPeriodOf({ config }: Pick<TenantRecord, "config">): AnnouncedChange {
  return { eventType: "budget_reset", tenantId: config.tenantId, periodStartedAt: periodStartedAt(config) };
}

/** Whoever has just seen the period is telling people at this moment. */
const IN_FLIGHT_MS = 60_000;

/** Two statements and a send each: half a minute's work. Only what was left behind comes here. */
const TENANTS_PER_RUN = 200;

export async function announcePeriods({ now }: { now: Instant }, deps: AnnounceChangeDeps): Promise<void> {
  const left = await deps.tenants.findUnannounced(now - IN_FLIGHT_MS, TENANTS_PER_RUN);
  for (const tenant of left) await tryAnnounceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}
