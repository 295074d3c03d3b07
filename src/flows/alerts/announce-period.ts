// Tells people that a new period has begun, once. Found by level: whoever advanced the period and died before telling has
// left a mark, which the next one to come upon it sees.

import { type Instant, periodStartedAt } from "../../budget/tenant.ts";
import type { ToldChange } from "../../records/alert-record.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceChangeDeps, announceChange } from "./announce-change.ts";

/** @throws when Postgres or the queue cannot be reached. */
export async function announcePeriod(tenant: TenantRecord, now: Instant, deps: AnnounceChangeDeps): Promise<void> {
  if (tenant.periodAnnounced) return;
  await announceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}

export function newPeriodOf({ config }: Pick<TenantRecord, "config">): ToldChange {
  return { eventType: "budget_reset", tenantId: config.tenantId, periodStartedAt: periodStartedAt(config) };
}
