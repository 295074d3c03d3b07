// When a tenant's reads are overdue. Pure.

import type { Instant } from "./instant.ts";

/** The sweep reads every tenant within the hour, even an idle one. */
export const UNREAD_MS = 3_600_000;

/**
 * Since when a tenant has waited for a read, if that is an hour or longer; else null. Null also for a tenant that no
 * read can be expected of: LiteLLM does not have its key or team (yet). Postgres has the same rule for all tenants
 * (src/adapters/postgres/alerts/platform-signs.ts).
 */
export function unreadSince(
  tenant: {
    /** The last read of LiteLLM; null before the first. */
    readonly readAt: Instant | null;
    /** Since when LiteLLM has the desired state; null while it does not. */
    readonly syncedSince: Instant | null;
    readonly isMissing: boolean;
  },
  now: Instant,
): Instant | null {
  if (tenant.syncedSince === null || tenant.isMissing) return null;
  const since = tenant.readAt ?? tenant.syncedSince;
  return now - since >= UNREAD_MS ? since : null;
}
