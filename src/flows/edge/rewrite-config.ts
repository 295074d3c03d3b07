// Writes a config snapshot again, a while after the change: KV has no compare-and-set, and a slower writer may have
// overtaken the one that was right.

import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { writeConfig } from "./publish-config.ts";

/** What the queued message asks for: the snapshot as Postgres has it by now. @throws so that the queue tries again. */
export async function rewriteConfig(
  { tenantId, now }: { tenantId: TenantId; now: Instant },
  deps: Pick<Ports, "tenants" | "snapshots" | "memory">,
): Promise<void> {
  const { tenants, snapshots } = deps;
  const tenant = await tenants.loadEvenDeleted(tenantId);
  if (tenant !== null && tenant.deletedAt === null) return writeConfig(tenant.config, deps);
  if (tenant !== null) return snapshots.writeDeleted(tenantId, tenant.config.revision, now);
  // The row is gone already: a config that still lies there was written over the tombstone.
  const left = await snapshots.tenant(tenantId);
  if ("config" in left && left.config !== null) await snapshots.writeDeleted(tenantId, left.config.revision, now);
}
