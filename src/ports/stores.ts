// Postgres as interfaces, continued from ports.ts; alerts and notices are in notice-stores.ts. Every change is one
// statement or one batch that includes its audit line. A change by an `Actor` is made once per operation, and looked up
// when its answer is lost: an outage that throws then says `isUnknown`. A change that names versions
// (`Operation.ifVersion`) is not made to a row with another one, and answers as if there were no such row. Unless a
// method returns a Result, an outage throws.

import type { OutageNote } from "../budget/failure.ts";
import type { Instant } from "../budget/instant.ts";
import type { KeyHash, Subject, TenantId } from "../budget/tenant.ts";
import type { AuditAction, AuditRecord } from "../records/audit.ts";
import type { CountedSpend, LedgerChange, LedgerQuery, OpenLedger, Reported } from "../records/ledger.ts";
import type { ChangedOverride, EndingOverride, NewOverride, OverrideKey, OverrideRecord } from "../records/override.ts";
import type {
  Actor,
  AuditedChange,
  CarriedSpend,
  MadeKey,
  NewKey,
  NewTenant,
  OnTenantFault,
  OwnKey,
  PriorValues,
  ReplacedKey,
  SpendReference,
  SubjectFinding,
  SyncOutcome,
  TenantBatch,
  TenantChange,
  TenantKey,
  TenantList,
  TenantListQuery,
  TenantRecord,
  TenantSubject,
  UnreadableTenant,
} from "../records/tenant.ts";
import type { Page, PageQuery, TimeRange } from "./page.ts";
import type { Result } from "./result.ts";

/** Tenants: desired state, LiteLLM sync, and the latest spend. */
export interface Tenants {
  load(tenantId: TenantId): Promise<TenantRecord | null>;
  /** Also loads a deleted tenant, until retention deletes its row. */
  loadEvenDeleted(tenantId: TenantId): Promise<TenantRecord | null>;
  findByKey(keyHash: KeyHash): Promise<TenantRecord | null>;
  findBySubject(subject: Subject): Promise<TenantRecord | null>;
  list(query: TenantListQuery): Promise<TenantList>;
  /**
   * May return the tenant that an earlier request of the same operation created, with another key. `other_body`: that
   * request asked for something else.
   */
  create(
    tenant: NewTenant,
    actor: Actor,
  ): Promise<Result<TenantRecord, "tenant_taken" | "subject_taken" | "other_body">>;
  /**
   * Replaces the key that the operation's `create` or `restore` made. Null when the tenant has had another key since.
   */
  replaceUnshownKey(tenantId: TenantId, key: OwnKey, made: MadeKey, actor: Actor): Promise<TenantRecord | null>;
  change(tenantId: TenantId, change: TenantChange, actor: Actor): Promise<TenantRecord | null>;
  /** The kill switch. Null when there is no such tenant. */
  setSuspended(tenantId: TenantId, isSuspended: boolean, actor: Actor): Promise<AuditedChange | null>;
  /**
   * Marks the tenant as deleted, frees its newest key, and skips its waiting notices. Nothing but `loadEvenDeleted` and
   * the lists of its history sees it any more.
   */
  markDeleted(tenantId: TenantId, actor: Actor): Promise<TenantRecord | null>;
  /** Records that LiteLLM has released a deleted tenant. False when the tenant has changed since `revision`. */
  recordRelease(tenantId: TenantId, revision: number, now: Instant): Promise<boolean>;
  /**
   * Brings back a deleted tenant; one with keys of its own gets `key`. Null when there is no deleted tenant, or LiteLLM
   * has not released its own keys. May return the tenant that an earlier request of the same operation restored, with
   * another key.
   */
  restore(
    tenantId: TenantId,
    key: OwnKey,
    actor: Actor,
  ): Promise<Result<TenantRecord | null, "subject_taken" | "other_body">>;
  /** Deletes the row of a tenant that is marked as deleted, with its history. */
  remove(tenantId: TenantId): Promise<void>;
  /**
   * Records the outcome of a sync and, when it succeeded, erases the encrypted key. Returns the updated tenant, with a
   * later revision if LiteLLM's dates were new; null when the desired state has changed since `revision`.
   */
  recordSync(tenantId: TenantId, revision: number, outcome: SyncOutcome): Promise<TenantRecord | null>;
  /**
   * Stores LiteLLM's own values of an adopted tenant before Bursar sets limits there; the ownership marker keeps its
   * value from adoption. Null when they are already stored, or the desired state has changed since `revision`.
   */
  recordPriorValues(tenantId: TenantId, revision: number, values: PriorValues): Promise<TenantRecord | null>;
  /**
   * Records, before Bursar blocks the subject, that the block is Bursar's. False when the desired state has changed
   * since `revision`.
   */
  noteBlock(tenantId: TenantId, revision: number): Promise<boolean>;
  /**
   * The nonce of the tenant's mark; the first call makes it. Null when the desired state has changed since `revision`.
   */
  noteMark(tenantId: TenantId, revision: number): Promise<string | null>;
  /**
   * Claims tenants with a pending sync, deleted ones included, least recently tried first. A claim counts as a try:
   * retries back off exponentially from 1 minute to 1 hour, and come every minute while LiteLLM is unreachable.
   */
  claimPendingSyncs(limit: number, now: Instant): Promise<TenantId[]>;
  /**
   * Starts the ledger's period for an administrator. If a period other than `since` has started meanwhile, it changes
   * nothing and returns a null `auditId`; the audit log records the reset either way. Null when there is no such
   * tenant, or its subject has changed; `stale` when the ledger has changed since its version.
   */
  resetPeriod(change: LedgerChange, since: Instant, actor: Actor): Promise<AuditedChange | "stale" | null>;
  /** Claims tenants whose period should have ended, to read them in LiteLLM: each at most every 30 s, with backoff. */
  claimEndedPeriods(limit: number, now: Instant): Promise<TenantSubject[]>;
  /**
   * Records what a read of LiteLLM has shown of the tenant's subject, and since when, with an audit line. Null when the
   * row shows it already, the tenant has another subject by now or was deleted, or its key is not created yet.
   */
  noteSubject(subject: TenantSubject, finding: SubjectFinding, now: Instant): Promise<TenantRecord | null>;
  ping(): Promise<void>;
}

/**
 * The keys of tenants with a key of their own. Each change is audited; null when there is no such tenant, or when it
 * does not have the key.
 */
export interface TenantKeys {
  /** Adds the newest key, which becomes the tenant's subject, and ends the others. The running period goes on. */
  add(key: NewKey, actor: Actor): Promise<TenantRecord | null>;
  /** Gives a key its new hash. Idempotent. */
  replace(key: ReplacedKey, now: Instant): Promise<TenantRecord | null>;
  /** Also a key that has ended, until it is forgotten. */
  find(keyHash: KeyHash): Promise<TenantKey | null>;
  /** Ends an older key at once. Idempotent; null also for the newest key. */
  end(tenantId: TenantId, keyHash: KeyHash, actor: Actor): Promise<TenantRecord | null>;
  /** Ends an older key at once because LiteLLM no longer has it. Idempotent; nothing for the newest key. */
  endGone(tenantId: TenantId, keyHash: KeyHash, now: Instant): Promise<void>;
  /** Keys whose end has come, of tenants whose newest key LiteLLM has; earliest first. */
  listEnded(limit: number, now: Instant): Promise<TenantKey[]>;
  /** Notes that LiteLLM refuses the key from `now` on. */
  noteBlocked(keyHash: KeyHash, now: Instant): Promise<void>;
  /** Adds the last spend of a key to the tenant's, once; the key itself no longer counts. */
  carry(spend: CarriedSpend, now: Instant): Promise<TenantRecord | null>;
  /** Forgets a key whose spend is carried. */
  forget(keyHash: KeyHash): Promise<void>;
}

/** Temporary increases of the limit. Checks apply them by their dates, so they need no event to start or end. */
export interface Overrides {
  /**
   * May return the override that an earlier request of the same operation granted. `other_body`: that request asked for
   * something else.
   */
  grant(override: NewOverride, actor: Actor): Promise<Result<ChangedOverride, "not_found" | "other_body">>;
  /** Null when the tenant has no such override. */
  load(key: OverrideKey): Promise<OverrideRecord | null>;
  /** As `load`. An ended override stays unchanged. */
  revoke(key: OverrideKey, actor: Actor): Promise<ChangedOverride | null>;
  /** Of a deleted tenant too. */
  list(query: PageQuery & TimeRange & { readonly tenantId: TenantId }): Promise<Page<OverrideRecord>>;
  /**
   * Records that overrides have expired, each once: audits it and sets the LiteLLM sync to pending. Returns the newly
   * recorded ones that can be read, about `limit` of them.
   */
  recordEnds(limit: number, now: Instant, onFault?: OnTenantFault): Promise<OverrideRecord[]>;
  /** The readable overrides that expire after `after` and up to `until`, earliest first. */
  listEnding(
    within: { readonly after: Instant; readonly until: Instant },
    limit: number,
    onFault?: OnTenantFault,
  ): Promise<EndingOverride[]>;
}

/** The ledgers of spend. Their rules are in budget/counting.ts. */
export interface Ledgers {
  /** Leaves out tenants that do not exist any more or have another subject. */
  load(asked: readonly LedgerQuery[]): Promise<readonly OpenLedger[]>;
  /**
   * Saves ledgers, and advances the period of a tenant whose ledger shows a later one. Returns the saved tenants, and
   * leaves out those whose ledger has changed since its version.
   */
  save(changes: readonly LedgerChange[]): Promise<readonly TenantRecord[]>;
  /** Forgets calls that ended before `before`, at most `limit` of them. Returns how many. */
  forgetCalls(before: Instant, limit: number): Promise<number>;
}

/** Bulk access for the spend consumer. */
export interface SpendBatches {
  /**
   * The tenants that the references resolve to, each once, without deleted ones. `withPending`: with deliveries not yet
   * queued. `onUnreadable` takes the tenants whose row cannot be read; without it one of them fails the call.
   */
  load(
    references: readonly SpendReference[],
    options: { withPending: boolean; onUnreadable?: (tenant: UnreadableTenant) => void },
  ): Promise<readonly TenantBatch[]>;
  /**
   * In one transaction: counts calls that were not counted before, raises the spend to lower bounds of its period, and
   * adds audit lines that do not exist yet. Returns the spend of the tenants that it names, as it is afterwards. With
   * `onFault` a tenant whose amounts Postgres refuses fails alone.
   */
  count(reported: Reported, now: Instant, onFault?: OnTenantFault): Promise<ReadonlyMap<TenantId, CountedSpend>>;
}

/** Leases of tenants to reconcile. An expired lease means that its consumer did not finish. */
export interface ReadLeases {
  /**
   * Leases tenants until `until`: those with an expired lease, and those last read before `readBefore`; least recently
   * read first. Never returns a tenant with a running lease.
   */
  take(due: { readBefore: Instant; until: Instant; limit: number; now: Instant }): Promise<TenantId[]>;
  /** Moves the end of the leases that still end at `from`; null releases them. Returns the moved ones. */
  move(tenantIds: readonly TenantId[], from: Instant, to: Instant | null): Promise<TenantId[]>;
}

/** A copy of the note in KV (see `Snapshots`), for when KV is down. */
export interface OutageNotes {
  load(): Promise<OutageNote>;
  save(note: OutageNote): Promise<void>;
}

/** Null or absent: any. */
export interface AuditQuery extends PageQuery, TimeRange {
  readonly tenantId: TenantId | null;
  readonly actor?: string | null;
  readonly action?: AuditAction | null;
}

export interface Audit {
  list(query: AuditQuery): Promise<Page<AuditRecord>>;
}
