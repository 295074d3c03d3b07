// Publishes which tenant a key belongs to. Never fails the change that it follows: Postgres resolves a key whose
// entry is missing, and an isolate forgets a resolved key after a minute.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";

type Deps = Pick<Ports, "memory" | "snapshots" | "log">;

/** `tenantId` null: the keys belong to no tenant any more. */
export async function publishKeys(
  { keyHashes, tenantId, now }: { keyHashes: readonly KeyHash[]; tenantId: TenantId | null; now: Instant },
  { memory, snapshots, log }: Deps,
): Promise<void> {
  for (const keyHash of keyHashes) memory.rememberTenantOfKey(keyHash, tenantId, now);
  try {
    await Promise.all(keyHashes.map((keyHash) => snapshots.writeTenantOfKey(keyHash, tenantId)));
  } catch (error) {
    log.error("kv key write failed", error, { tenant_id: tenantId });
  }
}
