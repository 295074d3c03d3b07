// The memory of one isolate between requests. Plain data only: Workers forbid sharing one request's I/O with another.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Memory, TokenRate } from "../../ports/edge.ts";
import type { CachedTenant, CallerName, Readiness, RememberedTenant, Written } from "../../records/edge.ts";
import { BoundedMap } from "./bounded-map.ts";

/** A key rarely moves to another tenant, but a deletion must take effect within a minute. */
const CALLER_MS = 60_000;

/** Longer than a look-up in slow stores takes: Postgres and LiteLLM end their calls after 5 s and 2 s. */
const LOOK_UP_MS = 10_000;

/** How long slowness of the stores is taken for the outage that the last look-up met. */
const STORE_FAILURE_MS = 10_000;

/** During an outage of LiteLLM an isolate retries each tenant this often; checks in between do not wait for a read. */
const FAILED_READ_MS = 5_000;

/** The sweep updates the outage every minute, so a cached value is at most 90 s old. */
const OUTAGE_MS = 30_000;

/** Health checkers call every few seconds, from many places. */
const READINESS_MS = 1_000;
const LAST_READINESS_MS = 9_000;

/**
 * What a kind of entries may take. Ten thousand usual tenants fit. Together with what kv-snapshots.ts and
 * kv-turns.ts keep it is at most 76 MB of an isolate's 128 MB.
 */
const TENANTS_BYTES = 16_000_000;
const WRITES_BYTES = 5_000_000;
const SMALL_ENTRIES_BYTES = 2_500_000;

/** Measured with room to spare: a config and its spend, and each override of it. */
const TENANT_BYTES = 1_500;
const OVERRIDE_BYTES = 300;
/** A message and a URL of 300 characters each at the most. */
const REFUSAL_BYTES = 1_500;
const WRITTEN_BYTES = 500;

const bytesOfTenant = ({ config }: CachedTenant): number =>
  TENANT_BYTES +
  (config?.overrides.length ?? 0) * OVERRIDE_BYTES +
  (config !== null && config.refusal !== null ? REFUSAL_BYTES : 0);

const NOTHING_WRITTEN: Written = { revision: 0, spend: null };

export class IsolateMemory implements Memory {
  readonly #tenantOf = new BoundedMap<CallerName, { tenantId: TenantId | null; until: Instant }>(SMALL_ENTRIES_BYTES);
  readonly #teamOf = new BoundedMap<KeyHash, string>(SMALL_ENTRIES_BYTES);
  readonly #lookUps = new BoundedMap<CallerName, Instant>(SMALL_ENTRIES_BYTES);
  readonly #tenants = new BoundedMap<TenantId, RememberedTenant>(TENANTS_BYTES, bytesOfTenant);
  readonly #gone = new BoundedMap<TenantId, { revision: number; until: Instant }>(SMALL_ENTRIES_BYTES);
  readonly #failedReads = new BoundedMap<TenantId, Instant>(SMALL_ENTRIES_BYTES);
  readonly #buckets = new BoundedMap<string, { tokens: number; at: Instant }>(SMALL_ENTRIES_BYTES);
  #storeFailedAt: Instant | null = null;
  #outage: { startedAt: Instant | null; until: Instant } | null = null;
  readonly #written = new BoundedMap<TenantId, Written>(WRITES_BYTES, () => WRITTEN_BYTES);
  readonly #throttled = new BoundedMap<string, Instant>(SMALL_ENTRIES_BYTES);

  #readiness: { readiness: Readiness; until: Instant } | null = null;

  tenantOf(caller: CallerName, now: Instant): TenantId | null | undefined {
    const entry = this.#tenantOf.get(caller);
    return entry !== undefined && now < entry.until ? entry.tenantId : undefined;
  }

  rememberTenantOf(caller: CallerName, tenantId: TenantId | null, now: Instant): void {
    this.#tenantOf.set(caller, { tenantId, until: now + CALLER_MS });
  }

  teamOf(keyHash: KeyHash): string | null {
    return this.#teamOf.get(keyHash) ?? null;
  }

  rememberTeamOf(keyHash: KeyHash, teamId: string | null): void {
    if (teamId === null) this.#teamOf.delete(keyHash);
    else this.#teamOf.set(keyHash, teamId);
  }

  beginLookUp(caller: CallerName, now: Instant): boolean {
    if (this.isLookedUp(caller, now)) return false;
    this.#lookUps.set(caller, now + LOOK_UP_MS);
    return true;
  }

  endLookUp(caller: CallerName): void {
    this.#lookUps.delete(caller);
  }

  isLookedUp(caller: CallerName, now: Instant): boolean {
    return now < (this.#lookUps.get(caller) ?? 0);
  }

  tenant(tenantId: TenantId): RememberedTenant | null {
    return this.#tenants.get(tenantId) ?? null;
  }

  rememberTenant(tenantId: TenantId, known: CachedTenant, checkedAt: Instant): void {
    this.#tenants.set(tenantId, { config: known.config, spend: known.spend, checkedAt });
  }

  forgetTenant(tenantId: TenantId): void {
    this.#tenants.delete(tenantId);
    this.#written.delete(tenantId);
    for (const [caller, entry] of this.#tenantOf) {
      if (entry.tenantId === tenantId) this.#tenantOf.delete(caller);
    }
  }

  forgetTenantOf(caller: CallerName): void {
    this.#tenantOf.delete(caller);
  }

  isGone(tenantId: TenantId, revision: number | null, now: Instant): boolean {
    const gone = this.#gone.get(tenantId);
    return gone !== undefined && now < gone.until && (revision === null || revision <= gone.revision);
  }

  rememberGone(tenantId: TenantId, revision: number | null, now: Instant): void {
    this.#gone.set(tenantId, { revision: revision ?? -1, until: now + CALLER_MS });
  }

  outage(now: Instant): Instant | null | undefined {
    return this.#outage !== null && now < this.#outage.until ? this.#outage.startedAt : undefined;
  }

  rememberOutage(startedAt: Instant | null, now: Instant): void {
    this.#outage = { startedAt, until: now + OUTAGE_MS };
  }

  rememberFailedRead(tenantId: TenantId, now: Instant): void {
    this.#failedReads.set(tenantId, now);
  }

  forgetFailedRead(tenantId: TenantId): void {
    this.#failedReads.delete(tenantId);
  }

  failedRecently(tenantId: TenantId, now: Instant): boolean {
    const failedAt = this.#failedReads.get(tenantId);
    return failedAt !== undefined && now - failedAt < FAILED_READ_MS;
  }

  rememberStoreFailure(now: Instant): void {
    this.#storeFailedAt = now;
  }

  hasStoreFailed(now: Instant): boolean {
    return this.#storeFailedAt !== null && now - this.#storeFailedAt < STORE_FAILURE_MS;
  }

  takeToken(bucket: string, { burst, perMinute }: TokenRate, now: Instant): boolean {
    const { tokens, at } = this.#buckets.get(bucket) ?? { tokens: burst, at: now };
    const filled = Math.min(burst, tokens + (Math.max(0, now - at) * perMinute) / 60_000);
    const isFree = filled >= 1;
    this.#buckets.set(bucket, { tokens: isFree ? filled - 1 : filled, at: now });
    return isFree;
  }

  returnToken(bucket: string): void {
    const present = this.#buckets.get(bucket);
    if (present !== undefined) this.#buckets.set(bucket, { ...present, tokens: present.tokens + 1 });
  }

  readiness(now: Instant): Readiness | null {
    return this.#readiness !== null && now < this.#readiness.until ? this.#readiness.readiness : null;
  }

  lastReadiness(now: Instant): Readiness | null {
    return this.#readiness !== null && now < this.#readiness.until + LAST_READINESS_MS
      ? this.#readiness.readiness
      : null;
  }

  rememberReadiness(readiness: Readiness, now: Instant): void {
    this.#readiness = { readiness, until: now + READINESS_MS };
  }

  written(tenantId: TenantId): Written {
    return this.#written.get(tenantId) ?? NOTHING_WRITTEN;
  }

  rememberWritten(tenantId: TenantId, written: Partial<Written>): void {
    this.#written.set(tenantId, { ...this.written(tenantId), ...written });
  }

  throttle(name: string, seconds: number, now: Instant): boolean {
    const last = this.#throttled.get(name);
    if (last !== undefined && now - last < seconds * 1_000) return false;
    this.#throttled.set(name, now);
    return true;
  }

  endTurn(name: string): void {
    this.#throttled.delete(name);
  }
}
