// Tells the edge of a tenant's figure that Postgres has: KV when it is worth a write, this isolate's memory always.

import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { joinCached } from "./cached-tenant.ts";
import { isWorthASnapshot } from "./publish-cadence.ts";
import { writeConfig } from "./publish-config.ts";

type Deps = Pick<Ports, "memory" | "snapshots">;

export interface PublishInput {
  readonly tenant: TenantRecord;
  /** Whoever read the figure has told the edge of it already: it goes along with a newer config only. */
  readonly isAnnounced: boolean;
  readonly now: Instant;
}

/**
 * Compared with KV, not with what Postgres had before: a delivery that broke off after Postgres had the figure comes
 * again. A config that KV has an older one of goes there too. @throws when KV cannot be reached.
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
  const isOwn = cached?.config?.subject.id === config.subject.id;
  const before = joinSpend(isOwn ? cached.spend : null, written.spend);
  if (!isNewConfig && !isWorthASnapshot(config, before, spend, now, deps)) return;
  await snapshots.writeSpend(config, spend);
  memory.rememberWritten(tenantId, { spend });
}

function joinSpend(a: SpendRecord | null, b: SpendRecord | null): SpendRecord | null {
  return a === null || b === null ? (a ?? b) : joinRecords(a, b);
}
