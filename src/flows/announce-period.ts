// Tells people that a new period has begun, once. Found by level: whoever advanced the period and died before telling has
// left a mark, which the next one to come upon it sees.

import { type Instant, periodStartedAt } from "../budget/tenant.ts";
import type { Ports } from "../ports.ts";
import type { TenantRecord } from "../records/tenant-record.ts";
import { type AnnounceChangeDeps, announceChange } from "./announce-change.ts";

export type AnnouncePeriodDeps = AnnounceChangeDeps & Pick<Ports, "tenants">;

/** @throws when Postgres or the queue cannot be reached. */
export async function announcePeriod(tenant: TenantRecord, now: Instant, deps: AnnouncePeriodDeps): Promise<void> {
  if (tenant.periodAnnounced) return;
  const { tenantId } = tenant.config;
  const startedAt = periodStartedAt(tenant.config);
  const key = { tenantId, eventType: "budget_reset", periodStartedAt: startedAt } as const;
  await announceChange({ tenant, key, detail: null, now }, deps);
  await deps.tenants.notePeriodAnnounced(tenantId, startedAt);
}
