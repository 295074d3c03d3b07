// What the edge knows of tenants and of its own health: in KV, and in an isolate's memory. Types only.

import type { SpendRecord } from "../budget/spend.ts";
import type { Instant, TenantConfig } from "../budget/tenant.ts";

/** What is known of a tenant; either half can be missing. */
export interface CachedTenant {
  readonly config: TenantConfig | null;
  readonly spend: SpendRecord | null;
}

export interface RememberedTenant extends CachedTenant {
  /** When KV or Postgres was last asked. */
  readonly checkedAt: Instant;
}

/** What a deleted tenant leaves at the edge. */
export interface Tombstone {
  readonly deletedRevision: number;
  readonly deletedAt: Instant;
}

/** What an isolate has put into KV of a tenant; revision 0 and null: nothing. */
export interface Written {
  readonly revision: number;
  readonly spend: SpendRecord | null;
}

export interface Readiness {
  readonly ready: boolean;
  readonly dependencies: readonly { readonly name: string; readonly ok: boolean; readonly latencyMs: number }[];
}
