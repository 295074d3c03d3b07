// Postgres as types of verbs: the second page of ports.ts. Every change is one statement or one batch, audited in it.
// Unless a verb returns a Result, an outage throws.

import type { Instant, KeyHash, Subject, TenantId } from "../budget/tenant.ts";
import type {
  AlertEntry,
  AlertListRow,
  AuditNote,
  AuditRecord,
  ChannelChange,
  ChannelId,
  ChannelRecord,
  DeadLetter,
  DeadLetterRecord,
  DeliveryKey,
  Dispatch,
  LateChange,
  NewChannel,
  Page,
  PageQuery,
  PlatformAlertRecord,
  PlatformBounds,
  PlatformCondition,
  PlatformDispatch,
  PlatformSigns,
  RecordedAlerts,
} from "../records/alert-record.ts";
import type {
  ChangedOverride,
  EndingOverride,
  NewOverride,
  OverrideKey,
  OverrideRecord,
} from "../records/override-record.ts";
import type { SpendReference, TenantBatch, TenantObservation } from "../records/tenant-batch.ts";
import type {
  Actor,
  AuditedChange,
  NewTenant,
  PriorValues,
  SyncOutcome,
  TenantChange,
  TenantList,
  TenantListQuery,
  TenantRecord,
  TenantSubject,
} from "../records/tenant-record.ts";
import type { Result } from "./result.ts";

/** The wish, and the last figure. */
export interface Tenants {
  load(tenantId: TenantId): Promise<TenantRecord | null>;
  /** For `sync-litellm` alone: also a tenant that is marked as deleted and waits for LiteLLM. */
  loadEvenDeleted(tenantId: TenantId): Promise<TenantRecord | null>;
  /** `mayBeInTeam` is false when no tenant's subject is a team: then an unknown key need not be looked up in LiteLLM. */
  findByKey(keyHash: KeyHash): Promise<{ tenant: TenantRecord | null; mayBeInTeam: boolean }>;
  findBySubject(subject: Subject): Promise<TenantRecord | null>;
  list(query: TenantListQuery): Promise<TenantList>;
  create(tenant: NewTenant, actor: Actor): Promise<Result<TenantRecord, "tenant_taken" | "subject_taken">>;
  change(tenantId: TenantId, change: TenantChange, actor: Actor): Promise<TenantRecord | null>;
  /** The kill switch. Null when there is no such tenant. */
  setSuspended(tenantId: TenantId, isSuspended: boolean, actor: Actor): Promise<AuditedChange | null>;
  /** Marks the tenant as deleted and frees its keys; it is gone for every reader, its row waits for LiteLLM. */
  markDeleted(tenantId: TenantId, actor: Actor): Promise<TenantRecord | null>;
  /** Removes the row of a tenant that is marked as deleted. */
  remove(tenantId: TenantId): Promise<void>;
  /**
   * Records what LiteLLM took and, once it has taken the wish, forgets the sealed key. Answers the tenant after it, which
   * has a later revision when LiteLLM's dates were new; null when the wish has changed since `revision`.
   */
  recordSync(tenantId: TenantId, revision: number, outcome: SyncOutcome): Promise<TenantRecord | null>;
  /**
   * Keeps what LiteLLM has of an adopted tenant before Bursar sets limits there; the mark it had before stays what it
   * was at adoption. Null when that was done already, or when the wish has changed since `revision`.
   */
  recordPriorValues(tenantId: TenantId, revision: number, values: PriorValues): Promise<TenantRecord | null>;
  /** Notes that LiteLLM's block is to be Bursar's, before it is sent. False when the wish has changed since `revision`. */
  noteBlock(tenantId: TenantId, revision: number): Promise<boolean>;
  /**
   * Takes tenants whose wish LiteLLM has not taken, also the deleted ones; least recently tried first. It counts as a
   * try at once, whatever becomes of it: the next is a minute later, then after ever twice as long, up to an hour.
   */
  claimPendingSyncs(limit: number, now: Instant): Promise<TenantId[]>;
  /**
   * Keeps the newest figure and, when it belongs to a later period, advances the config's by compare-and-set. Null when
   * there is no such tenant, or when its subject is another one by now.
   */
  recordSpend(observation: TenantObservation): Promise<TenantRecord | null>;
  /**
   * Begins the figure's period by hand, unless another one than that of `since` has begun meanwhile: then nothing
   * changes, `auditId` is null, and the audit says who has zeroed the spend all the same. Null as with `recordSpend`.
   */
  resetPeriod(observation: TenantObservation, since: Instant, actor: Actor): Promise<AuditedChange | null>;
  /** Takes tenants whose period should be over, for a look at LiteLLM: each at most every 30 s, in time ever less often. */
  claimEndedPeriods(limit: number, now: Instant): Promise<TenantSubject[]>;
  /** Tenants whose running period was seen before `before`, and that nobody has told people of. */
  findUnannounced(before: Instant, limit: number): Promise<TenantRecord[]>;
  /** Unless another period has begun since. */
  notePeriodAnnounced(tenantId: TenantId, periodStartedAt: Instant): Promise<void>;
  ping(): Promise<void>;
}

/** Temporary increases of the limit. At the edge they begin and end by themselves. */
export interface Overrides {
  /** Null when there is no such tenant. One that is there already under this id is left as it is. */
  grant(override: NewOverride, actor: Actor): Promise<ChangedOverride | null>;
  /** Null when the tenant has no such override. One that is over stays as it is. */
  revoke(key: OverrideKey, actor: Actor): Promise<ChangedOverride | null>;
  list(query: PageQuery & { readonly tenantId: TenantId }): Promise<Page<OverrideRecord>>;
  /**
   * Writes down that overrides have run out, each once whoever comes: audited, and LiteLLM has to hear of it. Answers
   * those that were not written down before, about `limit` of them.
   */
  noteEnds(limit: number, now: Instant): Promise<OverrideRecord[]>;
  /** Those that run out after `after` and up to `until`, the first ones first. */
  listEnding(within: { readonly after: Instant; readonly until: Instant }, limit: number): Promise<EndingOverride[]>;
}

/** For the consumer of spend: many tenants at once. */
export interface SpendBatches {
  /** The living tenants that the references lead to, each once. `withPending`: also deliveries that nobody has begun. */
  open(references: readonly SpendReference[], options: { withPending: boolean }): Promise<readonly TenantBatch[]>;
  /** Joins figures that advance no period, and writes lines of the audit that are not there yet: in one step. */
  record(observations: readonly TenantObservation[], notes: readonly AuditNote[]): Promise<void>;
}

/** Whose turn it is to be reconciled, and who is at it. A lease that ran out belongs to somebody who did not finish. */
export interface ReadLeases {
  /**
   * Leases tenants until `until`, those with a lease that ran out and those that were not read since `readBefore`; least
   * recently read first. Nobody gets a tenant that somebody else has.
   */
  take(due: { readBefore: Instant; until: Instant; limit: number; now: Instant }): Promise<TenantId[]>;
  /** Moves the leases that still end at `from`; null ends them. Answers which did. */
  move(tenantIds: readonly TenantId[], from: Instant, to: Instant | null): Promise<TenantId[]>;
}

export interface Alerts {
  /**
   * Records alerts with their audit, and one delivery for each that is told and each enabled channel of the tenant or
   * the platform: in one step. An identity that is there already is left alone. Answers what is new; null when somebody
   * has looked for this tenant's alerts since.
   */
  record(entry: AlertEntry): Promise<RecordedAlerts | null>;
  list(query: PageQuery & { readonly tenantId: TenantId | null }): Promise<Page<AlertListRow>>;
  /**
   * Overrides that were granted or have ended, suspensions and resumptions, audited from `since` up to `until`, that no
   * alert tells of; the oldest first. An alert tells of one by `override_id` or `audit_id` in its detail.
   */
  listUnannounced(audited: { readonly since: Instant; readonly until: Instant }, limit: number): Promise<LateChange[]>;
}

export interface PlatformAlerts {
  look(bounds: PlatformBounds): Promise<PlatformSigns>;
  /**
   * Records an alert, its audit and its deliveries to the platform's channels for each condition that has begun, or has
   * lasted since before `remindBefore`; ends those that do not hold any more. What is not among them stays as it is.
   */
  record(
    conditions: readonly PlatformCondition[],
    times: { remindBefore: Instant; now: Instant },
  ): Promise<{ readonly alerts: readonly PlatformAlertRecord[]; readonly deliveries: readonly DeliveryKey[] }>;
}

/** How notices fare. `sent`, `skipped` and `failed` are final. */
export interface Deliveries {
  /** Null when the alert or its channel is gone. */
  load(key: DeliveryKey): Promise<Dispatch | PlatformDispatch | null>;
  /** Ends a delivery that is pending; one that has ended stays as it is. */
  end(
    key: DeliveryKey,
    end: { status: "sent" | "skipped" | "failed"; error: string | null; at: Instant },
  ): Promise<void>;
  /** Counts a failed attempt of a pending delivery. */
  postpone(key: DeliveryKey, next: { error: string; nextAttemptAt: Instant; at: Instant }): Promise<void>;
  /** Takes deliveries that should have been tried before `before`, and gives each to one caller only. */
  claimOverdue(before: Instant, limit: number, now: Instant): Promise<DeliveryKey[]>;
  /** Makes a failed delivery pending again, as if it had never been tried. */
  revive(key: DeliveryKey, now: Instant): Promise<void>;
}

export interface Channels {
  load(channelId: ChannelId): Promise<ChannelRecord | null>;
  /** `tenantId` null: all of them. */
  list(query: PageQuery & { readonly tenantId: TenantId | null }): Promise<Page<ChannelRecord>>;
  create(channel: NewChannel, actor: Actor): Promise<Result<ChannelRecord, "tenant_not_found">>;
  change(channelId: ChannelId, change: ChannelChange, actor: Actor): Promise<ChannelRecord | null>;
  /** False when there is none. */
  remove(channelId: ChannelId, actor: Actor): Promise<boolean>;
}

export interface Audit {
  list(query: PageQuery & { readonly tenantId: TenantId | null }): Promise<Page<AuditRecord>>;
}

/** What no consumer could handle, kept for people. */
export interface DeadLetters {
  record(letter: DeadLetter): Promise<void>;
  list(query: PageQuery): Promise<Page<DeadLetterRecord>>;
  load(id: string): Promise<DeadLetterRecord | null>;
  markReplayed(id: string, actor: Actor): Promise<void>;
}
