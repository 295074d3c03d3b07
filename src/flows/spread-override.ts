// What follows the grant or the revocation of an override: what follows every change, and people hear of it.

import type { AlertDetail } from "../budget/alerts.ts";
import { decimalFromNanoUsd } from "../budget/money.ts";
import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports.ts";
import type { ChangedOverride, OverrideRecord } from "../records/override-record.ts";
import type { TenantRecord } from "../records/tenant-record.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "./announce-change.ts";
import { type SpreadDeps, spreadChange } from "./spread-change.ts";

export type OverrideDeps = SpreadDeps & AnnounceChangeDeps & Pick<Ports, "overrides">;

/** The tenant as it stands then. Nobody waits for the other: neither people for LiteLLM, nor LiteLLM for people. */
export async function spreadOverride(
  { tenant, override, hasChanged }: ChangedOverride,
  eventType: "override_granted" | "override_ended",
  now: Instant,
  deps: OverrideDeps,
): Promise<TenantRecord> {
  if (!hasChanged) return tenant;
  const key = { eventType, tenantId: override.tenantId, overrideId: override.id };
  const [spread] = await Promise.all([
    spreadChange(tenant, now, deps),
    tryAnnounceChange({ tenant, key, detail: overrideDetail(override), now }, deps),
  ]);
  return spread;
}

/** What the alerts of an override say of it: how much, until when, why, and who. */
export function overrideDetail(override: OverrideRecord): AlertDetail {
  return {
    override_id: override.id,
    override_amount: decimalFromNanoUsd(override.amountNanoUsd),
    expires_at: iso(override.expiresAt),
    reason: override.reason,
    granted_by: override.createdBy,
    ...(override.revokedAt !== null && { revoked_at: iso(override.revokedAt), revoked_by: override.revokedBy }),
  };
}

const iso = (instant: Instant) => new Date(instant).toISOString();
