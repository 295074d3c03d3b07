// Rewrites a config snapshot some seconds after a change: KV has no compare-and-set, so a slower writer may have
// overwritten the newer config. A read of KV may show a colo's copy from before that, so an equal revision is written
// too, and only a newer one is left alone.

import type { Instant } from "../../budget/instant.ts";
import type { TenantConfig, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { type EdgeDeps, writeConfig, writeDeleted } from "./publish.ts";

const REWRITE = { isRewrite: true };

/**
 * Writes the current config, or a tombstone for a deleted tenant. @throws when Postgres fails; the queue then
 * redelivers.
 */
export async function rewriteConfig(
  { tenantId, now }: { tenantId: TenantId; now: Instant },
  deps: EdgeDeps & Pick<Ports, "tenants">,
): Promise<void> {
  const tenant = await deps.tenants.loadEvenDeleted(tenantId);
  if (tenant !== null && tenant.deletedAt === null) return writeConfig(tenant.config, now, deps, REWRITE);
  // The row may have been removed. A config that is still in KV was then written over the tombstone.
  const deleted = tenant?.config ?? (await findLeft(tenantId, deps));
  if (deleted !== null) await writeDeleted(deleted, now, deps, REWRITE);
}

async function findLeft(tenantId: TenantId, { snapshots, log }: EdgeDeps): Promise<TenantConfig | null> {
  try {
    const left = await snapshots.tenant(tenantId);
    return "config" in left ? left.config : null;
  } catch (error) {
    log.error("kv tenant read failed", error, { tenant_id: tenantId });
    return null;
  }
}
