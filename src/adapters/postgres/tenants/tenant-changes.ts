// Changes by an administrator: each is one statement that locks, changes and audits, so that the last
// write wins as a whole and every change has its line in the audit. The outcome is a separate statement: one that
// waited for the lock does not see overrides granted meanwhile. Calls nothing but Postgres.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import { decimalFromNanoUsd, percentNumber } from "../../../budget/money.ts";
import type { RefusalSettings, TenantId } from "../../../budget/tenant.ts";
import type { Actor, AuditedChange, TenantChange, TenantRecord } from "../../../records/tenant.ts";
import { refusalSettingsJson } from "../../../wire/refusal-settings.ts";
import { auditInsert, lineOf } from "../audit/audit-insert.ts";
import { makeChange } from "../audit/make-change.ts";
import type { Database, Row } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { acceptsVersion, isChangedOrAccepted, NEXT_VERSION } from "../settings-version.ts";
import { firstTenant, selectTenants, tenantFromRow } from "./tenant-rows.ts";

/**
 * Null when the tenant does not exist, or has another version than the caller accepts. A change to the present values
 * bumps and audits nothing.
 */
export async function changeTenant(
  database: Database,
  tenantId: TenantId,
  change: TenantChange,
  actor: Actor,
): Promise<TenantRecord | null> {
  const columns = sql.raw(SETTING_COLUMNS.join(", "));
  const isLitellmsToo = sql`(a.max_budget, a.alert_threshold, a.grace_threshold, a.budget_duration, a.enforcement)
    is distinct from (t.max_budget, t.alert_threshold, t.grace_threshold, t.budget_duration, t.enforcement)`;
  const movesLimit = sql`(a.max_budget, a.alert_threshold, a.grace_threshold)
    is distinct from (t.max_budget, t.alert_threshold, t.grace_threshold)`;
  const line = lineOf(actor, "tenant_changed");
  const changed = sql`with before as (${lockTenant(tenantId, actor)}),
    asked as (select tenant_id, ${askedColumns(change)} from before),
    after as (update tenant_configs t
      set (${columns}) = (select ${columns} from asked),
        ${NEXT_VERSION}, ${updatedAt(actor.now)},
        config_version = t.config_version + case when ${movesLimit} then 1 else 0 end,
        ${pendingSync(isLitellmsToo, actor)}
      from asked a
      where t.tenant_id = a.tenant_id and (${prefixed("a")}) is distinct from (${prefixed("t")})
      returning t.*),
    audit as (${auditInsert(line)})
    select from before`;
  return makeChange(database, {
    statements: [changed],
    outcome: (db) => db.execute(sql`${livingTenant(tenantId)} and ${isChangedOrAccepted(actor, line)}`),
    read: ({ rows }) => firstTenant(rows),
  });
}

/** Idempotent: a tenant that is already suspended (or active) keeps its instant, its revision and its audit. */
export async function setTenantSuspended(
  database: Database,
  tenantId: TenantId,
  isSuspended: boolean,
  actor: Actor,
): Promise<AuditedChange | null> {
  const line = lineOf(actor, isSuspended ? "tenant_suspended" : "tenant_resumed");
  const switched = sql`with before as (${lockTenant(tenantId, actor)}),
    after as (update tenant_configs t
      set suspended_at = ${timestampOf(isSuspended ? actor.now : null)}, ${updatedAt(actor.now)}, ${NEXT_VERSION}, ${pendingSync(sql`true`, actor)}
      from before where t.tenant_id = before.tenant_id and (before.suspended_at is not null) <> ${isSuspended}
      returning t.*),
    audit as (${auditInsert(line)})
    select from before`;
  return makeChange(database, {
    statements: [switched],
    outcome: (db) =>
      db.execute(sql`select tenant.*, (select id::float8 from audit_log where source_id = ${line.sourceId}) as audit_id
        from (${livingTenant(tenantId)} and ${isChangedOrAccepted(actor, line)}) tenant`),
    read: ({ rows: [row] }) => (row === undefined ? null : auditedChange(row)),
  });
}

/** A separate statement: one that waited for the lock does not see overrides granted meanwhile. */
export function livingTenant(tenantId: TenantId): SQL {
  return sql`${selectTenants()} where t.tenant_id = ${tenantId} and t.deleted_at is null`;
}

/** `row`: a tenant, and the id of the line. */
export function auditedChange(row: Row): AuditedChange {
  return { tenant: tenantFromRow(row), auditId: row["audit_id"] as number | null };
}

const SETTING_COLUMNS = [
  "name",
  "max_budget",
  "alert_threshold",
  "grace_threshold",
  "budget_duration",
  "enforcement",
  "fail_policy",
  "refusal",
  "metadata",
] as const;

/** Each setting of the change; the value of the locked row for a setting that the change leaves out. */
function askedColumns(change: TenantChange): SQL {
  const asked: Record<(typeof SETTING_COLUMNS)[number], SQL | undefined> = {
    name: change.name === undefined ? undefined : sql`${change.name}::text`,
    max_budget: change.maxBudgetNanoUsd === undefined ? undefined : money(change.maxBudgetNanoUsd),
    alert_threshold: change.alertThreshold === undefined ? undefined : percent(change.alertThreshold),
    grace_threshold: change.graceThreshold === undefined ? undefined : percent(change.graceThreshold),
    budget_duration: change.budgetDuration === undefined ? undefined : sql`${change.budgetDuration}::text`,
    enforcement: change.enforcement === undefined ? undefined : sql`${change.enforcement}::text`,
    fail_policy: change.failPolicy === undefined ? undefined : sql`${change.failPolicy}::text`,
    refusal: change.refusal === undefined ? undefined : refusalOf(change.refusal),
    metadata: change.metadata === undefined ? undefined : pairsOf(change.metadata, sql`metadata`),
  };
  const columns = SETTING_COLUMNS.map((column) => sql`${asked[column] ?? sql.raw(column)} as ${sql.raw(column)}`);
  return sql.join(columns, sql`, `);
}

/** With an actor, only a version that it accepts: what waited for the lock then sees the version of who went before. */
export function lockTenant(tenantId: TenantId, actor?: Pick<Actor, "operation">, where = sql`true`): SQL {
  return sql`select * from tenant_configs where tenant_id = ${tenantId} and deleted_at is null
    and ${where} and ${acceptsVersion(actor)} for no key update`;
}

/**
 * Null: the moment of the statement. Never moves back, even if clocks of isolates differ: a sync compares LiteLLM's
 * state with it.
 */
export function updatedAt(now: Instant | null): SQL {
  return sql`updated_at = greatest(t.updated_at, ${now === null ? sql`now()` : timestampOf(now)})`;
}

/**
 * `litellm_sync_since` stays at the oldest desired state that LiteLLM has not applied: the operator's alert uses it. A
 * new desired state starts with no attempts.
 */
export function pendingSync(when: SQL, actor: Pick<Actor, "now">): SQL {
  return sql`litellm_sync = case when ${when} then 'pending' else t.litellm_sync end,
    litellm_sync_error = case when ${when} then null else t.litellm_sync_error end,
    litellm_sync_since = case when ${when} and t.litellm_sync = 'synced' then ${timestampOf(actor.now)}
      else t.litellm_sync_since end,
    litellm_sync_tried_at = case when ${when} then null else t.litellm_sync_tried_at end,
    litellm_sync_tries = case when ${when} then 0 else t.litellm_sync_tries end`;
}

const money = (amount: bigint): SQL => sql`${decimalFromNanoUsd(amount)}::numeric`;
const percent = (share: bigint): SQL => sql`${String(percentNumber(share))}::numeric`;
export const refusalOf = (refusal: RefusalSettings | null): SQL =>
  sql`${refusal === null ? null : jsonbText(refusalSettingsJson(refusal))}::jsonb`;
/** `pairs` over those that are there; a null removes its pair. */
export const pairsOf = (pairs: Readonly<Record<string, string | null>>, present: SQL): SQL =>
  sql`jsonb_strip_nulls(${present} || ${jsonbText(pairs)}::jsonb)`;
const prefixed = (alias: string): SQL => sql.raw(SETTING_COLUMNS.map((column) => `${alias}.${column}`).join(", "));
