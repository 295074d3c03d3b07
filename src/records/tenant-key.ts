// The keys of tenants as Postgres stores them, and the changes to them. Types only.

import type { Instant } from "../budget/instant.ts";
import type { NanoUsd } from "../budget/money.ts";
import type { KeyHash, TenantId } from "../budget/tenant.ts";

export interface NewKey {
  readonly tenantId: TenantId;
  readonly keyHash: KeyHash;
  readonly encryptedKey: string;
  /** When the keys of the tenant so far stop working. */
  readonly othersEndAt: Instant;
}

/** LiteLLM has given the key `from` the new hash `to`. */
export interface ReplacedKey {
  readonly tenantId: TenantId;
  readonly from: KeyHash;
  readonly to: KeyHash;
}

/** A key that has ended is blocked in LiteLLM, then its last spend is carried, then it is deleted. */
export interface TenantKey {
  readonly tenantId: TenantId;
  readonly keyHash: KeyHash;
  readonly blockedAt: Instant | null;
  readonly carriedAt: Instant | null;
}

/** The last spend of a key, in the tenant's period that began at `periodStartedAt`. */
export interface CarriedSpend extends Pick<TenantKey, "tenantId" | "keyHash"> {
  readonly spendNanoUsd: NanoUsd;
  readonly periodStartedAt: Instant;
}
