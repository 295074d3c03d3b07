// Joins two cached copies of a tenant. Decides only; an older config or observation never wins.

import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import { isSameTenant, type TenantConfig } from "../../budget/tenant.ts";
import type { CachedTenant } from "../../records/edge.ts";

/** A cached tenant with its config: enough to answer a check. */
export interface ConfiguredTenant extends CachedTenant {
  readonly config: TenantConfig;
  readonly spend: SpendRecord | null;
}

/** The newer config and the joined spend of two cached copies. */
export function joinCached(a: CachedTenant | null, b: ConfiguredTenant): ConfiguredTenant;
export function joinCached(a: CachedTenant | null, b: CachedTenant): CachedTenant;
export function joinCached(a: CachedTenant | null, b: CachedTenant): CachedTenant {
  if (a === null) return { config: b.config, spend: b.spend };
  // The tenant was deleted and created again with another key or team: the old copy does not apply to the new tenant.
  if (a.config && b.config && !isSameTenant(a.config, b.config)) {
    const { config, spend } = a.config.revision > b.config.revision ? a : b;
    return { config, spend };
  }
  const config =
    a.config && b.config ? (a.config.revision > b.config.revision ? a.config : b.config) : (a.config ?? b.config);
  const spend = a.spend && b.spend ? joinRecords(a.spend, b.spend) : (a.spend ?? b.spend);
  return { config, spend };
}
