// Publishes a tenant's spend from Postgres to the edge: always to this isolate's memory, to KV when it is worth a
// write. Never fails the messages that brought the spend.

import type { Instant } from "../../budget/instant.ts";
import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import { isSameTenant, type TenantId } from "../../budget/tenant.ts";
import type { CachedTenant } from "../../records/edge.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { joinCached } from "./cached-tenant.ts";
import { type EdgeDeps, rememberTenant, writeConfig, writeSpend } from "./publish.ts";
import { isWorthASnapshot } from "./spend-cadence.ts";

export interface PublishInput {
  readonly tenant: TenantRecord;
  /** True when the check that read the spend has already published it: it is then written only with a newer config. */
  readonly isAnnounced: boolean;
  readonly now: Instant;
}

/**
 * Compares with KV, not with the earlier state of Postgres, so that a redelivery publishes what a crashed delivery only
 * recorded, and a later message what KV has refused. If KV holds an older config, the newer one is written as well.
 */
export async function publishSpend({ tenant, isAnnounced, now }: PublishInput, deps: EdgeDeps): Promise<void> {
  const { config, spend } = tenant;
  const { tenantId } = config;
  const cached = await findInKv(tenantId, deps);
  rememberTenant(joinCached(cached, { config, spend }), now, deps);
  const written = deps.memory.written(tenantId);
  const isNewConfig = Math.max(cached?.config?.revision ?? 0, written.revision) < config.revision;
  if (isNewConfig) await writeConfig(config, now, deps);
  if (spend === null || (isAnnounced && !isNewConfig)) return;
  const isOwn = cached !== null && cached.config !== null && isSameTenant(cached.config, config);
  const before = joinSpend(isOwn ? cached.spend : null, written.spend);
  if (isNewConfig || isWorthASnapshot(config, before, spend, now, deps)) await writeSpend(config, spend, deps);
}

/** Null when KV has no config, or cannot be read: the spend is then compared with what this isolate has written. */
async function findInKv(tenantId: TenantId, { snapshots, log }: EdgeDeps): Promise<CachedTenant | null> {
  try {
    const known = await snapshots.tenant(tenantId);
    return "config" in known ? known : null;
  } catch (error) {
    log.error("kv tenant read failed", error, { tenant_id: tenantId });
    return null;
  }
}

function joinSpend(a: SpendRecord | null, b: SpendRecord | null): SpendRecord | null {
  return a === null || b === null ? (a ?? b) : joinRecords(a, b);
}
