// Cached tenants and readiness, in KV and in an isolate's memory. Types only.

import type { Instant } from "../budget/instant.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { KeyHash, TenantConfig, TenantId, Unmanaged } from "../budget/tenant.ts";

/** Config and spend of a tenant; either can be missing. */
export interface CachedTenant {
  readonly config: TenantConfig | null;
  readonly spend: SpendRecord | null;
}

export interface RememberedTenant extends CachedTenant {
  /** When KV or Postgres was last read. */
  readonly checkedAt: Instant;
}

/** How the edge names the caller: by the hash of the key, or by the key's team in LiteLLM. */
export type CallerName = KeyHash | `team:${string}`;

/** Which tenant a caller belongs to. Null: KV does not know. */
export type CachedOwner = TenantId | Unmanaged | null;

/** Marks a deleted tenant in KV. */
export interface Tombstone {
  readonly deletedRevision: number;
  readonly deletedAt: Instant;
}

/** What an isolate last wrote to KV for a tenant; revision 0 and null when it wrote nothing. */
export interface Written {
  readonly revision: number;
  readonly spend: SpendRecord | null;
}

export interface Readiness {
  readonly ready: boolean;
  readonly dependencies: readonly { readonly name: string; readonly ok: boolean; readonly latencyMs: number }[];
}
