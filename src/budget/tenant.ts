// A tenant: its subject, its budget and its overrides, as every flow sees them. Types, defaults and identity only.

import type { Instant } from "./instant.ts";
import type { BasisPoints, NanoUsd } from "./money.ts";

export type TenantId = string & { readonly brand: "TenantId" };

/** The sha256 of a LiteLLM virtual key in lower-case hex. LiteLLM calls it `token`. */
/** In the place of a tenant id: LiteLLM has the key or team, and no tenant does. A tenant id has no parentheses. */
export const UNMANAGED = "(unmanaged)";
export type Unmanaged = typeof UNMANAGED;

export type KeyHash = string & { readonly brand: "KeyHash" };

/** The LiteLLM team (by its id) or the newest key (by its hash) of a tenant. `otherKeys` count too. */
export type Subject = { readonly kind: "key"; readonly id: KeyHash } | { readonly kind: "team"; readonly id: string };

export type Enforcement = "enforce" | "observe";
export type FailPolicy = "open" | "closed";

/** A temporary increase of the limit, active from `createdAt` up to, not including, `expiresAt` or `revokedAt`. */
export interface Override {
  readonly id: string;
  readonly amountNanoUsd: NanoUsd;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
  readonly revokedAt: Instant | null;
}

/** How the refusals of a tenant read. */
export interface RefusalSettings {
  /** Replaces Bursar's own words, in one line; null keeps them. */
  readonly message: string | null;
  /** An https URL, for people whose call is refused; null for none. */
  readonly contactUrl: string | null;
  /** False: no amount of money is shown to a caller with only a virtual key. */
  readonly showsAmounts: boolean;
}

/** An older key of a tenant that still counts beside the newest one. */
export interface OtherKey {
  readonly hash: KeyHash;
  readonly createdAt: Instant;
  /** When it stops working. Afterwards it counts until its last spend is carried. */
  readonly endsAt: Instant;
}

/** The desired state of one tenant. Postgres stores it, and the KV key `config:{tenant}` carries it to the edge. */
export interface TenantConfig {
  readonly tenantId: TenantId;
  readonly name: string | null;
  readonly subject: Subject;
  readonly maxBudgetNanoUsd: NanoUsd;
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  /** Null: a budget that never resets. */
  readonly budgetDuration: string | null;
  /** The end of LiteLLM's period, as last read; null before the first read, or when the budget never resets. */
  readonly budgetResetAt: Instant | null;
  readonly litellmKeyLastReset: Instant | null;
  readonly subjectCreatedAt: Instant;
  /** The number of changes of max_budget and thresholds; part of the limit version. */
  readonly configVersion: number;
  /** Rises with every change of any kind and never falls: the version of the KV snapshot. */
  readonly revision: number;
  readonly enforcement: Enforcement;
  /** Null: the deployment's default. */
  readonly failPolicy: FailPolicy | null;
  readonly suspendedAt: Instant | null;
  /** Since when LiteLLM says that it has no such key or team; null while it has. */
  readonly subjectMissingAt: Instant | null;
  /** Since when the key or team is blocked in LiteLLM by another than Bursar; null while it is not. */
  readonly litellmBlockedAt: Instant | null;
  /** The overrides that can still count. Those that are over may be among them, or counted in `endedOverrides`. */
  readonly overrides: readonly Override[];
  /** How many further overrides have begun and ended; part of the limit version. */
  readonly endedOverrides: number;
  /**
   * When the tenant was created: an id may be deleted and created again. Null in a snapshot of the release before.
   */
  readonly createdAt: Instant | null;
  /** The older keys whose spend counts too, oldest first; `subject` is the newest. Empty for a team. */
  readonly otherKeys: readonly OtherKey[];
  /** The last spend of the keys that were removed in this period. */
  readonly carriedNanoUsd: NanoUsd;
  /** Null: Bursar's own words, with amounts. */
  readonly refusal: RefusalSettings | null;
}

/** False for two tenants of one id, one of which was deleted. A tenant stays the same when its key changes. */
export function isSameTenant(
  a: Pick<TenantConfig, "subject" | "createdAt">,
  b: Pick<TenantConfig, "subject" | "createdAt">,
): boolean {
  return a.subject.id === b.subject.id || (a.createdAt !== null && a.createdAt === b.createdAt);
}

/** A deleted tenant and its history can be read, and the tenant restored, for this long. */
export const KEEP_DELETED_MS = 90 * 86_400_000;

export const DEFAULT_BUDGET = {
  maxBudgetNanoUsd: 500_000_000_000n,
  alertThreshold: 8_000n,
  graceThreshold: 11_000n,
  budgetDuration: "30d",
  enforcement: "enforce",
} as const satisfies Partial<TenantConfig>;

/** Inclusive ranges in basis points: `5_000n` is 50 %. */
export const ALERT_THRESHOLD_RANGE = { min: 5_000n, max: 10_000n } as const;
export const GRACE_THRESHOLD_RANGE = { min: 10_000n, max: 15_000n } as const;
