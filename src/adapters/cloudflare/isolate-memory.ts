// The memory of one isolate between requests. Plain data only: Workers forbid sharing one request's I/O with another.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Memory } from "../../ports/ports.ts";
import type { CachedTenant, Readiness, RememberedTenant, Written } from "../../records/edge.ts";
import { putBounded } from "./bounded-map.ts";

/** A key rarely moves to another tenant, but a deletion must take effect within a minute. */
const KEY_MS = 60_000;

/** During an outage of LiteLLM an isolate retries each tenant this often; checks in between do not wait for a read. */
const FAILED_READ_MS = 5_000;

/** The sweep updates the outage every minute, so a cached value is at most 90 s old. */
const OUTAGE_MS = 30_000;

/** Health checkers call every few seconds, from many places. */
const READINESS_MS = 1_000;
const LAST_READINESS_MS = 9_000;

const NOTHING_WRITTEN: Written = { revision: 0, spend: null };

export class IsolateMemory implements Memory {
  readonly #tenantOfKey = new Map<KeyHash, { tenantId: TenantId | null; until: Instant }>();
  readonly #tenants = new Map<TenantId, RememberedTenant>();
  readonly #failedReads = new Map<TenantId, Instant>();
  readonly #rateLimited = new Map<string, Instant>();
  #outage: { startedAt: Instant | null; until: Instant } | null = null;
  readonly #written = new Map<TenantId, Written>();
  readonly #turns = new Map<string, Instant>();

  #readiness: { readiness: Readiness; until: Instant } | null = null;

  tenantOfKey(keyHash: KeyHash, now: Instant): TenantId | null | undefined {
    const entry = this.#tenantOfKey.get(keyHash);
    return entry !== undefined && now < entry.until ? entry.tenantId : undefined;
  }

  rememberTenantOfKey(keyHash: KeyHash, tenantId: TenantId | null, now: Instant): void {
    putBounded(this.#tenantOfKey, keyHash, { tenantId, until: now + KEY_MS });
  }

  tenant(tenantId: TenantId): RememberedTenant | null {
    return this.#tenants.get(tenantId) ?? null;
  }

  rememberTenant(tenantId: TenantId, known: CachedTenant, checkedAt: Instant): void {
    putBounded(this.#tenants, tenantId, { config: known.config, spend: known.spend, checkedAt });
  }

  forgetTenant(tenantId: TenantId): void {
    this.#tenants.delete(tenantId);
    this.#written.delete(tenantId);
    for (const [keyHash, entry] of this.#tenantOfKey) {
      if (entry.tenantId === tenantId) this.#tenantOfKey.delete(keyHash);
    }
  }

  forgetTenantOfKey(keyHash: KeyHash): void {
    this.#tenantOfKey.delete(keyHash);
  }

  outage(now: Instant): Instant | null | undefined {
    return this.#outage !== null && now < this.#outage.until ? this.#outage.startedAt : undefined;
  }

  rememberOutage(startedAt: Instant | null, now: Instant): void {
    this.#outage = { startedAt, until: now + OUTAGE_MS };
  }

  rememberFailedRead(tenantId: TenantId, now: Instant): void {
    putBounded(this.#failedReads, tenantId, now);
  }

  forgetFailedRead(tenantId: TenantId): void {
    this.#failedReads.delete(tenantId);
  }

  failedRecently(tenantId: TenantId, now: Instant): boolean {
    const failedAt = this.#failedReads.get(tenantId);
    return failedAt !== undefined && now - failedAt < FAILED_READ_MS;
  }

  rateLimit(address: string, until: Instant): void {
    putBounded(this.#rateLimited, address, until);
  }

  isRateLimited(address: string, now: Instant): boolean {
    return now < (this.#rateLimited.get(address) ?? 0);
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
    putBounded(this.#written, tenantId, { ...this.written(tenantId), ...written });
  }

  throttle(name: string, seconds: number, now: Instant): boolean {
    const last = this.#turns.get(name);
    if (last !== undefined && now - last < seconds * 1_000) return false;
    putBounded(this.#turns, name, now);
    return true;
  }
}
