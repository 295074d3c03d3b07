// A tenant as Postgres keeps it, and what an administrator may ask of it. Types only, shared by flows and ports.

import type { BasisPoints, NanoUsd } from "../budget/money.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { Enforcement, FailPolicy, Instant, KeyHash, Subject, TenantConfig, TenantId } from "../budget/tenant.ts";
import type { State } from "../budget/verdict.ts";

export interface TenantRecord {
  readonly config: TenantConfig;
  /** The last figure that reached Postgres. */
  readonly spend: SpendRecord | null;
  readonly sync: LiteLlmSync;
  /** True for a key or team that was LiteLLM's before it was ours. */
  readonly adopted: boolean;
  /** What LiteLLM had before adoption, to be put back on release. */
  readonly priorValues: PriorValues | null;
  /** The virtual key, sealed; only while LiteLLM has not created it yet. */
  readonly encryptedKey: string | null;
  /** When LiteLLM was first seen in the running period, which it enters up to ten minutes late; null in the first one. */
  readonly periodSeenAt: Instant | null;
  /** False until people were told of the step into the running period; true in the first one. */
  readonly periodAnnounced: boolean;
  readonly deletedAt: Instant | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export interface LiteLlmSync {
  readonly status: "synced" | "pending";
  /** Why it is pending, in words for an administrator; null when it was not tried yet. */
  readonly error: string | null;
  readonly since: Instant;
  /** The budget object that LiteLLM made with a key of ours; nobody else's is ever written to. */
  readonly budgetId: string | null;
  /** False while LiteLLM has no limits of Bursar's: since adoption, or since they were lifted for `observe`. */
  readonly hasSetLimits: boolean;
  /** True from before Bursar first blocks the subject until LiteLLM has taken its release: the block there is then Bursar's. */
  readonly hasBlocked: boolean;
}

/** The row's own numbers as decimal strings, so that they go back exactly. */
export interface PriorValues {
  readonly maxBudget: string | null;
  readonly softBudget: string | null;
  readonly budgetDuration: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What LiteLLM answered to the wish. */
export type SyncOutcome =
  | {
      readonly status: "synced";
      readonly triedAt: Instant;
      /** When LiteLLM's dates were asked for. */
      readonly readAt: Instant;
      /** Of a key that Bursar has just created. */
      readonly budgetId: string | null;
      readonly resetsAt: Instant | null;
      /** True when this sync has told LiteLLM a duration, which moves the end of the running period. */
      readonly hasMovedReset: boolean;
      /** Taken for a key that Bursar has just created. */
      readonly subjectCreatedAt: Instant | null;
    }
  | {
      readonly status: "pending";
      readonly triedAt: Instant;
      readonly error: string;
      /** True when LiteLLM could not be asked: no fault of the wish, which is tried again as soon as may be. */
      readonly isAway: boolean;
    };

/** The budget and its policies: what `POST` sets and `PATCH` changes. */
export interface TenantSettings {
  readonly name: string | null;
  readonly maxBudgetNanoUsd: NanoUsd;
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  readonly budgetDuration: string | null;
  readonly enforcement: Enforcement;
  readonly failPolicy: FailPolicy | null;
}

export type TenantChange = Partial<TenantSettings>;

export interface TenantSubject {
  readonly tenantId: TenantId;
  /** The key's hash or the team's id. */
  readonly subjectId: string;
}

/** A change with the line of the audit that tells of it; null when it was so already. */
export interface AuditedChange {
  readonly tenant: TenantRecord;
  readonly auditId: number | null;
}

export interface NewTenant extends TenantSettings {
  readonly tenantId: TenantId;
  readonly subject: Subject;
  /** The keys that are the tenant's from the start: none for a team. */
  readonly keyHashes: readonly KeyHash[];
  readonly subjectCreatedAt: Instant;
  readonly budgetResetAt: Instant | null;
  readonly adopted: boolean;
  readonly priorValues: PriorValues | null;
  readonly encryptedKey: string | null;
  /** The figure read at adoption. */
  readonly spend: SpendRecord | null;
}

/** Who asked, for the audit. */
export interface Actor {
  readonly name: string;
  readonly requestId: string;
  readonly now: Instant;
}

export interface TenantListQuery {
  readonly state: State | null;
  /** The tenant id after which to go on. */
  readonly after: TenantId | null;
  readonly limit: number;
  readonly now: Instant;
}

export interface TenantList {
  readonly tenants: readonly TenantRecord[];
  readonly next: TenantId | null;
  readonly counts: Readonly<Record<State, number>>;
}
