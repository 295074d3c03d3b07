// The tables of Bursar's own database: the only description of them, from which drizzle-kit makes the migrations.
// Holds no queries. The name of a check is part of the contract: adapters map it to the error of a field.

import { type SQL, sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  numeric,
  pgSequence,
  pgTable,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import type { AlertDetail } from "../../../budget/alert.ts";
import { ALERT_EVENT_TYPES } from "../../../budget/alert.ts";
import {
  between,
  instant,
  matches,
  money,
  moneyNotNegative,
  newestFirst,
  notNegative,
  oneOf,
  percent,
} from "./columns.ts";

const subjectKinds = ["key", "team"] as const;
const enforcements = ["enforce", "observe"] as const;
const failPolicies = ["open", "closed"] as const;
const syncStatuses = ["synced", "pending"] as const;

/**
 * Counts every change of any tenant's config, so that a tenant created again under an old id has the higher revision.
 */
export const configRevision = pgSequence("config_revision");

/** What the search of the list of tenants looks through: id and name, each on a line. `of`: an alias with its dot. */
export const searchedText = (of = ""): SQL => sql.raw(`${of}tenant_id || E'\\n' || coalesce(${of}name, '')`);

const nextRevision: SQL = sql`nextval('config_revision')`;

export const tenantConfigs = pgTable(
  "tenant_configs",
  {
    tenantId: text("tenant_id").primaryKey(),
    name: text("name"),
    subjectKind: text("subject_kind", { enum: subjectKinds }).notNull(),
    /** The key's hash or the team's id. */
    subjectId: text("subject_id").notNull(),
    maxBudget: money("max_budget").notNull().default("500.00"),
    alertThreshold: percent("alert_threshold").notNull().default("80"),
    graceThreshold: percent("grace_threshold").notNull().default("110"),
    /** Null: the budget never resets. */
    budgetDuration: text("budget_duration").default("30d"),
    budgetResetAt: instant("budget_reset_at"),
    litellmKeyLastReset: instant("litellm_key_last_reset"),
    /** The first read of LiteLLM in the running period, up to ten minutes after it began; null in the first period. */
    periodSeenAt: instant("period_seen_at"),
    /** Only the release before reads and writes it. The next release drops it. */
    periodAnnounced: boolean("period_announced").notNull().default(true),
    /** When the sweep last scheduled a read for an ended period. */
    periodCloseTriedAt: instant("period_close_tried_at"),
    /** The start of the first period, until LiteLLM resets for the first time. */
    subjectCreatedAt: instant("subject_created_at").notNull(),
    /** Counts changes of the limit only: thresholds re-arm with it. Part of the API's `limit_version`. */
    configVersion: integer("config_version").notNull().default(1),
    /** Counts changes by administrators, of whatever kind: the `config_version` and the `ETag` of the API. */
    settingsVersion: integer("settings_version").notNull().default(1),
    /** The administrators' own pairs of texts, which Bursar does not use. */
    metadata: jsonb("metadata").notNull().default({}),
    /** Every change of the row or its overrides sets a new one. Snapshots are ordered by it. */
    revision: bigint("revision", { mode: "number" }).notNull().default(nextRevision),
    enforcement: text("enforcement", { enum: enforcements }).notNull().default("enforce"),
    /** Null: the deployment's default applies. */
    failPolicy: text("fail_policy", { enum: failPolicies }),
    /** How its refusals read: `{message, contact_url, amounts}`. */
    refusal: jsonb("refusal"),
    suspendedAt: instant("suspended_at"),
    /** Since when LiteLLM says that it has no such key or team. */
    subjectMissingAt: instant("subject_missing_at"),
    /** Since when another than Bursar blocks the key or team in LiteLLM. */
    litellmBlockedAt: instant("litellm_blocked_at"),
    deletedAt: instant("deleted_at"),
    adopted: boolean("adopted").notNull().default(false),
    /** What LiteLLM held before adoption, to restore on release. */
    priorValues: jsonb("prior_values"),
    /** The encrypted virtual key, only while its creation in LiteLLM is pending. */
    encryptedKey: text("sealed_key"),
    litellmSync: text("litellm_sync", { enum: syncStatuses }).notNull().default("pending"),
    litellmSyncError: text("litellm_sync_error"),
    /** Since when `litellm_sync` is what it is. */
    litellmSyncSince: instant("litellm_sync_since").notNull().defaultNow(),
    litellmSyncTriedAt: instant("litellm_sync_tried_at"),
    /** Attempts since the desired state changed or was applied. The delay before the next one grows with it. */
    litellmSyncTries: integer("litellm_sync_tries").notNull().default(0),
    /** The budget object that LiteLLM created together with Bursar's own key; no other one. */
    litellmBudgetId: text("litellm_budget_id"),
    /** Whether LiteLLM may have limits that Bursar set. */
    litellmHasSetLimits: boolean("litellm_has_set_limits").notNull().default(false),
    /** Whether LiteLLM's block may be one that Bursar sent. */
    litellmHasBlocked: boolean("litellm_has_blocked").notNull().default(false),
    /** The nonce of the mark in the key's metadata; null until the first sync by a release that marks keys. */
    markNonce: uuid("mark_nonce"),
    /** The last spend of the keys that were removed in the period that began at `carried_period`. */
    carried: money("carried").notNull().default("0"),
    carriedPeriod: instant("carried_period"),
    /**
     * Until when a consumer holds the lease to reconcile the tenant; null without a lease. An expired lease means
     * unfinished work.
     */
    readLeasedUntil: instant("read_leased_until"),
    createdAt: instant("created_at").notNull().defaultNow(),
    updatedAt: instant("updated_at").notNull().defaultNow(),
  },
  (t) => [
    // The subject of a deleted tenant is free once LiteLLM has released it.
    uniqueIndex("tenant_configs_subject_unique")
      .on(t.subjectKind, t.subjectId)
      .where(sql`${t.deletedAt} is null or ${t.litellmSync} = 'pending'`),
    oneOf("tenant_configs_subject_kind_known", t.subjectKind, subjectKinds),
    moneyNotNegative("tenant_configs_max_budget_not_negative", t.maxBudget),
    moneyNotNegative("tenant_configs_carried_not_negative", t.carried),
    between("tenant_configs_alert_threshold_range", t.alertThreshold, 50, 100),
    between("tenant_configs_grace_threshold_range", t.graceThreshold, 100, 150),
    matches("tenant_configs_budget_duration_format", t.budgetDuration, "^[1-9][0-9]*(s|m|h|d|w|mo)$"),
    check("tenant_configs_config_version_positive", sql`${t.configVersion} >= 1`),
    oneOf("tenant_configs_enforcement_known", t.enforcement, enforcements),
    oneOf("tenant_configs_fail_policy_known", t.failPolicy, failPolicies),
    oneOf("tenant_configs_litellm_sync_known", t.litellmSync, syncStatuses),
    index("idx_tenant_configs_reset").on(t.budgetResetAt),
    index("idx_tenant_configs_period_seen").on(t.periodSeenAt),
    index("idx_tenant_configs_deleted").on(t.deletedAt).where(sql`${t.deletedAt} is not null`),
    index("idx_tenant_configs_subject_missing").on(t.subjectMissingAt).where(sql`${t.subjectMissingAt} is not null`),
    index("idx_tenant_configs_sync_pending")
      .on(t.litellmSyncTriedAt.asc().nullsFirst(), t.litellmSyncSince)
      .where(sql`${t.litellmSync} = 'pending'`),
    index("idx_tenant_configs_leased").on(t.readLeasedUntil).where(sql`${t.readLeasedUntil} is not null`),
    // For the search of the list. The trigrams of a text do not depend on its case.
    index("idx_tenant_configs_search").using("gin", sql`(${searchedText()}) gin_trgm_ops`),
  ],
);

export const tenantOf = () => text("tenant_id").references(() => tenantConfigs.tenantId, { onDelete: "cascade" });

export const tenantKeys = pgTable(
  "tenant_keys",
  {
    keyHash: text("key_hash").primaryKey(),
    tenantId: tenantOf().notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    /** When this key stops working; null for the newest key. */
    endsAt: instant("ends_at"),
    /** When LiteLLM began to refuse the key, so that its last spend could be read. */
    blockedAt: instant("blocked_at"),
    /** When its last spend was added to the tenant's `carried`: it then only has to be deleted in LiteLLM. */
    carriedAt: instant("carried_at"),
  },
  (t) => [
    matches("tenant_keys_key_hash_format", t.keyHash, "^[0-9a-f]{64}$"),
    index("idx_tenant_keys_tenant").on(t.tenantId),
    index("idx_tenant_keys_ending").on(t.endsAt).where(sql`${t.endsAt} is not null`),
  ],
);

export const budgetOverrides = pgTable(
  "budget_overrides",
  {
    id: uuid("id").primaryKey(),
    tenantId: tenantOf().notNull(),
    overrideAmount: money("override_amount").notNull(),
    expiresAt: instant("expires_at").notNull(),
    reason: text("reason").notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    revokedAt: instant("revoked_at"),
    revokedBy: text("revoked_by"),
    /** When its end was recorded: by its revocation, or by the sweep after it expired. */
    endNotedAt: instant("end_noted_at"),
  },
  (t) => [
    check("budget_overrides_override_amount_positive", sql`${t.overrideAmount} > 0 and ${t.overrideAmount} <> 'NaN'`),
    check("budget_overrides_expires_after_creation", sql`${t.expiresAt} > ${t.createdAt}`),
    index("idx_budget_overrides_tenant").on(t.tenantId, t.expiresAt),
    index("idx_budget_overrides_created").on(t.tenantId, newestFirst(t.createdAt), t.id),
    // Queries by the end read only overrides that have not ended.
    index("idx_budget_overrides_expiry").on(t.expiresAt).where(sql`${t.endNotedAt} is null`),
  ],
);

export const budgetAlertHistory = pgTable(
  "budget_alert_history",
  {
    id: uuid("id").primaryKey(),
    tenantId: tenantOf().notNull(),
    identity: text("identity").notNull(),
    eventType: text("event_type", { enum: ALERT_EVENT_TYPES }).notNull(),
    threshold: percent("threshold"),
    spend: money("spend").notNull(),
    maxBudget: money("max_budget").notNull(),
    /** The limit at that moment: max_budget plus the active overrides. */
    limitAmount: money("limit_amount").notNull().default("0"),
    /** Wider than a threshold: $500 spent on a limit of a nano-USD must still be recorded. */
    percentage: numeric("percentage", { precision: 30, scale: 2 }),
    periodStartedAt: instant("period_started_at").notNull(),
    resetsAt: instant("resets_at"),
    limitVersion: integer("limit_version").notNull(),
    occurrence: integer("occurrence").notNull().default(0),
    /** How often the alert repeats one that still stands; 0 for a new one. */
    repetition: integer("repetition").notNull().default(0),
    /** Recorded without a notice. */
    silent: boolean("silent").notNull().default(false),
    /** Fields that only this kind of event has. */
    detail: jsonb("detail").$type<AlertDetail>(),
    createdAt: instant("created_at").notNull().defaultNow(),
  },
  (t) => [
    unique("budget_alert_history_identity_unique").on(t.identity),
    moneyNotNegative("budget_alert_history_spend_not_negative", t.spend),
    moneyNotNegative("budget_alert_history_max_budget_not_negative", t.maxBudget),
    moneyNotNegative("budget_alert_history_limit_amount_not_negative", t.limitAmount),
    moneyNotNegative("budget_alert_history_percentage_not_negative", t.percentage),
    notNegative("budget_alert_history_occurrence_not_negative", t.occurrence),
    notNegative("budget_alert_history_repetition_not_negative", t.repetition),
    index("idx_budget_alerts_tenant").on(t.tenantId, newestFirst(t.createdAt), t.id),
    index("idx_budget_alerts_created").on(newestFirst(t.createdAt), t.id),
    index("idx_budget_alerts_event").on(t.eventType, newestFirst(t.createdAt), t.id),
  ],
);
