// Announces once that a new period has begun. Level-triggered: Postgres notes which periods are announced, so the next
// consumer or the next sweep announces a period after a crash.

import type { Instant } from "../../budget/instant.ts";
import { periodStartedAt } from "../../budget/period.ts";
import type { AnnouncedChange } from "../../records/audit.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { type AnnounceChangeDeps, announceChange, tryAnnounceChange } from "./announce-change.ts";

/** @throws when Postgres or the queue cannot be reached. */
export async function announcePeriod(tenant: TenantRecord, now: Instant, deps: AnnounceChangeDeps): Promise<void> {
  if (tenant.periodAnnounced) return;
  await announceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}

export function newPeriodOf({ config }: Pick<TenantRecord, "config">): AnnouncedChange {
  return { eventType: "budget_reset", tenantId: config.tenantId, periodStartedAt: periodStartedAt(config) };
}

/** The consumer that advanced the period announces it within this time. */
const IN_FLIGHT_MS = 60_000;

/** Two statements and a send each: half a minute. Only periods that a crash left unannounced come here. */
const TENANTS_PER_RUN = 200;

export async function announcePeriods({ now }: { now: Instant }, deps: AnnounceChangeDeps): Promise<void> {
  const unannounced = await deps.tenants.findUnannounced(now - IN_FLIGHT_MS, TENANTS_PER_RUN);
  for (const tenant of unannounced) await tryAnnounceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}
