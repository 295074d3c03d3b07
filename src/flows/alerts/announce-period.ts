// Announces once that a new period has begun. Level-triggered: Postgres notes which periods are announced, so the next
// consumer or the next sweep announces a period after a crash.

import type { Instant } from "../../budget/instant.ts";
import { periodStartedAt } from "../../budget/period.ts";
import type { Ports } from "../../ports/ports.ts";
import type { AnnouncedChange } from "../../records/audit.ts";
import type { TenantFault, TenantRecord } from "../../records/tenant.ts";
import { zeroNewerKeys } from "../litellm/zero-newer-keys.ts";
import { type AnnounceChangeDeps, announceChange } from "./announce-change.ts";

type Deps = AnnounceChangeDeps & Pick<Ports, "litellm">;

/** @throws when Postgres, the queue or, for a tenant with several keys, LiteLLM cannot be reached. */
export async function announcePeriod(tenant: TenantRecord, now: Instant, deps: Deps): Promise<void> {
  if (tenant.periodAnnounced) return;
  await zeroNewerKeys({ tenant, now }, deps);
  await announceChange({ change: newPeriodOf(tenant), tenant, now }, deps);
}

export function newPeriodOf({ config }: Pick<TenantRecord, "config">): AnnouncedChange {
  return { eventType: "budget_reset", tenantId: config.tenantId, periodStartedAt: periodStartedAt(config) };
}

/** The consumer that advanced the period announces it within this time. */
const IN_FLIGHT_MS = 60_000;

/** Two statements and a send each: half a minute. Only periods that a crash left unannounced come here. */
const TENANTS_PER_RUN = 200;

export async function announcePeriods({ now }: { now: Instant }, deps: Deps): Promise<void> {
  const onFault = ({ tenantId, cause }: TenantFault) =>
    deps.log.error("tenant unreadable", cause, { tenant_id: tenantId });
  for (const tenant of await deps.tenants.findUnannounced(now - IN_FLIGHT_MS, TENANTS_PER_RUN, onFault)) {
    try {
      await announcePeriod(tenant, now, deps);
    } catch (cause) {
      deps.log.error("change announcement failed", cause, {
        tenant_id: tenant.config.tenantId,
        event_type: "budget_reset",
      });
    }
  }
}
