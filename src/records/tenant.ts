// Tenants as Postgres stores them, the changes to them, and their LiteLLM sync. Types only.

import type { Ledger } from "../budget/counting.ts";
import type { AlertHistory } from "../budget/find-alerts.ts";
import type { Instant } from "../budget/instant.ts";
import type { BasisPoints, NanoUsd } from "../budget/money.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type {
  Enforcement,
  FailPolicy,
  KeyHash,
  RefusalSettings,
  Subject,
  TenantConfig,
  TenantId,
} from "../budget/tenant.ts";
import type { StateReason } from "../budget/verdict.ts";
import type { DeliveryKey } from "./delivery.ts";

export interface TenantRecord {
  readonly config: TenantConfig;
  /** The latest observation in Postgres. */
  readonly spend: SpendRecord | null;
  readonly sync: LiteLlmSync;
  /** Counts the changes that administrators made. New spend, LiteLLM's resets and the end of an override are none. */
  readonly settingsVersion: number;
  /** The caller's own pairs. */
  readonly metadata: Metadata;
  /** True for a key or team that existed in LiteLLM before Bursar managed it. */
  readonly adopted: boolean;
  /** LiteLLM's values from before adoption, restored on release. */
  readonly priorValues: PriorValues | null;
  /** The encrypted virtual key, kept only until LiteLLM has created it. */
  readonly encryptedKey: string | null;
  /** The nonce of the mark that a sync writes to the tenant's key; null for a tenant that no sync has marked yet. */
  readonly markNonce: string | null;
  /**
   * When Bursar first saw LiteLLM in the current period, which LiteLLM enters up to ten minutes late; null in the first
   * period.
   */
  readonly periodSeenAt: Instant | null;
  readonly deletedAt: Instant | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export interface LiteLlmSync {
  readonly status: "synced" | "pending";
  /** Why it is pending, for an administrator to read; null before the first try. */
  readonly error: string | null;
  readonly since: Instant;
  /** The budget object that LiteLLM created with Bursar's key. Bursar never writes to any other. */
  readonly budgetId: string | null;
  /** False while LiteLLM has no limits from Bursar: after adoption, or after `observe` removed them. */
  readonly hasSetLimits: boolean;
  /**
   * True from just before Bursar blocks the subject until LiteLLM has unblocked it: meanwhile a block in LiteLLM is
   * Bursar's.
   */
  readonly hasBlocked: boolean;
}

/** LiteLLM's numbers as decimal strings, so that they are restored exactly. */
export interface PriorValues {
  readonly maxBudget: string | null;
  readonly softBudget: string | null;
  readonly budgetDuration: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The outcome of syncing the desired state to LiteLLM. */
export type SyncOutcome =
  | {
      readonly status: "synced";
      readonly triedAt: Instant;
      /** When LiteLLM's dates were read. */
      readonly readAt: Instant;
      /** Set for a key that this sync created. */
      readonly budgetId: string | null;
      readonly resetsAt: Instant | null;
      /** True when this sync set a duration, which moves the end of the current period in LiteLLM. */
      readonly hasMovedReset: boolean;
      /** Set for a key that this sync created. */
      readonly subjectCreatedAt: Instant | null;
    }
  | {
      readonly status: "pending";
      readonly triedAt: Instant;
      readonly error: string;
      /** True when LiteLLM was unreachable: not the desired state's fault, so the sync is retried soon. */
      readonly isUnreachable: boolean;
    };

export type Metadata = Readonly<Record<string, string>>;

/** The settings that `POST` sets and `PATCH` changes. */
export interface TenantSettings {
  readonly name: string | null;
  readonly maxBudgetNanoUsd: NanoUsd;
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  readonly budgetDuration: string | null;
  readonly enforcement: Enforcement;
  readonly failPolicy: FailPolicy | null;
  readonly refusal: RefusalSettings | null;
}

export interface TenantChange extends Partial<TenantSettings> {
  /** The pairs to add, replace, or (null) remove; others stay. */
  readonly metadata?: Readonly<Record<string, string | null>>;
}

export interface TenantSubject {
  readonly tenantId: TenantId;
  /** The hash of the key or the id of the team. */
  readonly subjectId: string;
}

/**
 * What a read of LiteLLM shows of a tenant's key or team: it exists and is not blocked, it is blocked by another than
 * Bursar, or LiteLLM has no such key or team.
 */
export type SubjectFinding = "usable" | "blocked" | "missing";

/** The tenant after a change, with the id of its audit line; null when there was nothing to change. */
export interface AuditedChange {
  readonly tenant: TenantRecord;
  readonly auditId: number | null;
}

export interface NewTenant extends TenantSettings {
  readonly tenantId: TenantId;
  readonly subject: Subject;
  /** The tenant's first keys; none for a team. */
  readonly keyHashes: readonly KeyHash[];
  readonly subjectCreatedAt: Instant;
  readonly budgetResetAt: Instant | null;
  readonly adopted: boolean;
  readonly priorValues: PriorValues | null;
  readonly encryptedKey: string | null;
  readonly metadata?: TenantChange["metadata"];
  /** The spend read at adoption. */
  readonly spend: Ledger | null;
}

/** A virtual key of Bursar's own that LiteLLM does not have yet. */
export interface OwnKey {
  readonly keyHash: KeyHash;
  readonly encryptedKey: string;
}

/** The changes that give a tenant a key to show. */
export type MadeKey = "tenant_created" | "tenant_restored";

/** The caller, for the audit log. */
export interface Actor {
  readonly name: string;
  readonly requestId: string;
  readonly now: Instant;
  readonly operation: Operation;
  /** Why, in the caller's words; absent when none were sent. */
  readonly reason?: string;
}

/** What the caller asks for. A change of one operation is made once, however often it is sent. */
export interface Operation {
  /** Random. */
  readonly id: string;
  /** Of a request with an idempotency key: all requests with that key create once. */
  readonly idempotency: {
    /** The hash of actor, route and key. Never the caller's own text. */
    readonly id: string;
    /** Tells two requests with one key apart. */
    readonly bodyHash: string;
  } | null;
  /** The versions of what is changed that the caller accepts; absent: any. Compared where the row is locked. */
  readonly ifVersion?: readonly number[];
}

export interface TenantListQuery {
  /** Tenants with one of these; or the deleted ones, which have none. */
  readonly reasons: readonly StateReason[] | "deleted";
  /** A part of the id or of the name, in any case; null: every tenant. */
  readonly search: string | null;
  readonly sort: TenantSort;
  /** The last tenant of the previous page. */
  readonly after: TenantPosition | null;
  readonly limit: number;
}

/** By id; or nearest to the limit first, and tenants without a percentage last. */
export type TenantSort = "tenant_id" | "-used_percent";

/** A tenant's place in the list. `used` in basis points, which moves with its spend; -1 without a percentage. */
export interface TenantPosition {
  readonly tenantId: TenantId;
  readonly used: number;
}

export interface TenantList {
  readonly tenants: readonly TenantRecord[];
  readonly next: TenantPosition | null;
  /** Of all tenants; a reason that no tenant has may be missing. */
  readonly counts: ReadonlyMap<StateReason, number>;
}

/** How a report names its tenant: by key, by team, or by tenant id. */
export type SpendReference =
  | { readonly kind: "key"; readonly id: KeyHash }
  | { readonly kind: "team"; readonly id: string }
  | { readonly kind: "tenant"; readonly id: TenantId };

export interface TenantBatch {
  readonly tenant: TenantRecord;
  readonly history: AlertHistory;
  /** The references that resolved to this tenant. */
  readonly references: readonly SpendReference[];
  readonly pending: readonly DeliveryKey[];
}

/** A tenant whose row cannot be read, or whose amounts Postgres refuses. That is no fault of the others in a call. */
export interface TenantFault {
  readonly tenantId: TenantId;
  readonly cause: unknown;
}

/** Takes the tenants at fault out of a call about many. Without it one fault fails the whole call. */
export type OnTenantFault = (fault: TenantFault) => void;

export interface UnreadableTenant extends TenantFault {
  /** The references that resolved to it. */
  readonly references: readonly SpendReference[];
}

export interface NewKey extends OwnKey {
  readonly tenantId: TenantId;
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
