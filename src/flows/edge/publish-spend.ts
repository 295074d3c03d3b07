// Publishes a tenant's spend from Postgres to the edge: always to this isolate's memory, to KV when it is worth a
// write.

import type { Instant } from "../../budget/instant.ts";
import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import { isSameTenant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { joinCached } from "./cached-tenant.ts";
import { writeConfig } from "./publish-config.ts";
import { isWorthASnapshot } from "./spend-cadence.ts";

type Deps = Pick<Ports, "memory" | "snapshots">;

export interface PublishInput {
  readonly tenant: TenantRecord;
  /** True when the check that read the spend has already published it: it is then written only with a newer config. */
  readonly isAnnounced: boolean;
  readonly now: Instant;
}

/**
 * Compares with KV, not with the earlier state of Postgres, so that a redelivery publishes what a crashed delivery only
 * recorded. If KV holds an older config, the newer one is written as well. @throws when KV cannot be reached.
 */
export async function publishSpend({ tenant, isAnnounced, now }: PublishInput, deps: Deps): Promise<void> {
  const { memory, snapshots } = deps;
  const { config, spend } = tenant;
  const { tenantId } = config;
  const known = await snapshots.tenant(tenantId);
  const cached = "config" in known ? known : null;
  memory.rememberTenant(tenantId, joinCached(memory.tenant(tenantId), joinCached(cached, { config, spend })), now);
  const written = memory.written(tenantId);
  const isNewConfig = Math.max(cached?.config?.revision ?? 0, written.revision) < config.revision;
  if (isNewConfig) await writeConfig(config, deps);
  if (spend === null || (isAnnounced && !isNewConfig)) return;
  const isOwn = cached !== null && cached.config !== null && isSameTenant(cached.config, config);
  const before = joinSpend(isOwn ? cached.spend : null, written.spend);
  if (!isNewConfig && !isWorthASnapshot(config, before, spend, now, deps)) return;
  await snapshots.writeSpend(config, spend);
  memory.rememberWritten(tenantId, { spend });
}

function joinSpend(a: SpendRecord | null, b: SpendRecord | null): SpendRecord | null {
  return a === null || b === null ? (a ?? b) : joinRecords(a, b);
}
