// What the edge knows, as ports: the isolate's own memory, and the snapshots in KV that all isolates share.

import type { OutageNote } from "../budget/failure.ts";
import type { Instant } from "../budget/instant.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { KeyHash, TenantConfig, TenantId } from "../budget/tenant.ts";
import type {
  CachedOwner,
  CachedTenant,
  CallerName,
  Readiness,
  RememberedTenant,
  Tombstone,
  Written,
} from "../records/edge.ts";

/**
 * The isolate's memory, shared by its requests: plain data, synchronous, bounded, and lost whenever the isolate ends.
 */
export interface Memory {
  /** `undefined`: not remembered, or older than 60 s. Null: the caller belongs to no tenant. */
  tenantOf(caller: CallerName, now: Instant): TenantId | null | undefined;
  rememberTenantOf(caller: CallerName, tenantId: TenantId | null, now: Instant): void;
  /** The team of a key, as LiteLLM last said; null when it is in none, or LiteLLM was not asked. */
  teamOf(keyHash: KeyHash): string | null;
  rememberTeamOf(keyHash: KeyHash, teamId: string | null): void;
  tenant(tenantId: TenantId): RememberedTenant | null;
  rememberTenant(tenantId: TenantId, known: CachedTenant, checkedAt: Instant): void;
  forgetTenant(tenantId: TenantId): void;
  forgetTenantOf(caller: CallerName): void;
  /**
   * True when the tenant was deleted within the last 60 s, as far as `revision` goes: that of the config that KV still
   * shows, or null when it shows none.
   */
  isGone(tenantId: TenantId, revision: number | null, now: Instant): boolean;
  /** `revision`: the last one of the tenant; null when it is not known. */
  rememberGone(tenantId: TenantId, revision: number | null, now: Instant): void;
  /** True for the one check that looks the caller up; false while it does, for 10 s at most. */
  beginLookUp(caller: CallerName, now: Instant): boolean;
  endLookUp(caller: CallerName): void;
  isLookedUp(caller: CallerName, now: Instant): boolean;
  /** Records a failed read, so that other checks do not wait for the same failure. */
  rememberFailedRead(tenantId: TenantId, now: Instant): void;
  forgetFailedRead(tenantId: TenantId): void;
  failedRecently(tenantId: TenantId, now: Instant): boolean;
  /** Records that a look-up ended because a store failed: within 10 s, slowness is taken for the same outage. */
  rememberStoreFailure(now: Instant): void;
  hasStoreFailed(now: Instant): boolean;
  /** A token bucket of this isolate: false when it is empty. It begins full, and refills evenly. */
  takeToken(bucket: string, rate: TokenRate, now: Instant): boolean;
  returnToken(bucket: string): void;
  /** When LiteLLM's outage began, null when there is none; `undefined` when the last read is too old. */
  outage(now: Instant): Instant | null | undefined;
  rememberOutage(startedAt: Instant | null, now: Instant): void;
  /** Null when it is older than a second. */
  readiness(now: Instant): Readiness | null;
  /** Null when it is older than ten seconds. */
  lastReadiness(now: Instant): Readiness | null;
  rememberReadiness(readiness: Readiness, now: Instant): void;
  /** What this isolate last wrote to KV; KV itself shows it up to a minute late. */
  written(tenantId: TenantId): Written;
  rememberWritten(tenantId: TenantId, written: Partial<Written>): void;
  /** True once per `seconds` and name, in this isolate. Works without Redis. */
  throttle(name: string, seconds: number, now: Instant): boolean;
  /** Makes `throttle` answer true again. */
  endTurn(name: string): void;
}

export interface TokenRate {
  readonly burst: number;
  readonly perMinute: number;
}

/**
 * KV, read by every colo, up to a minute late. A writer never replaces a higher version that it can see, and never
 * writes an equal one. Writes of an isolate to one key are paced: a write may resolve before it is made. A write that
 * throws is repeated in the background for some seconds.
 */
export interface Snapshots {
  ownerOf(caller: CallerName): Promise<CachedOwner>;
  /** Returns spend only if it belongs to the config's tenant (`isSameTenant`). */
  tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone>;
  /**
   * `expires`: for a key resolved through its team, because the key may move to another team. `UNMANAGED` expires after
   * minutes. Null: the next check looks the caller up.
   */
  writeOwnerOf(caller: CallerName, owner: CachedOwner, options?: { expires: boolean }): Promise<void>;
  /** `isRewrite` writes an equal version too, in case a slower writer has replaced it. */
  writeConfig(config: TenantConfig, options?: { isRewrite: boolean }): Promise<void>;
  writeDeleted(
    tenantId: TenantId,
    revision: number,
    deletedAt: Instant,
    options?: { isRewrite: boolean },
  ): Promise<void>;
  writeSpend(config: TenantConfig, record: SpendRecord): Promise<void>;
  outageNote(): Promise<OutageNote>;
  writeOutage(note: OutageNote): Promise<void>;
  ping(): Promise<void>;
}
