// Rewrites a config snapshot some seconds after a change: KV has no compare-and-set, so a slower writer may have
// overwritten the newer config.

import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { writeConfig } from "./publish-config.ts";

/**
 * Writes the current config, or a tombstone for a deleted tenant. @throws when a store fails; the queue then
 * redelivers.
 */
export async function rewriteConfig(
  { tenantId, now }: { tenantId: TenantId; now: Instant },
  deps: Pick<Ports, "tenants" | "snapshots" | "memory">,
): Promise<void> {
  const { tenants, snapshots } = deps;
  const tenant = await tenants.loadEvenDeleted(tenantId);
  if (tenant !== null && tenant.deletedAt === null) return writeConfig(tenant.config, deps);
  if (tenant !== null) return snapshots.writeDeleted(tenantId, tenant.config.revision, now);
  // The row has been removed. A config that is still in KV was written over the tombstone.
  const left = await snapshots.tenant(tenantId);
  if ("config" in left && left.config !== null) await snapshots.writeDeleted(tenantId, left.config.revision, now);
}
