// Records the outcome of a sync and what reads show of the subject, beside the desired state, and claims the tenants
// whose sync is due again. Never touches a desired state that has changed meanwhile.

import { and, eq, isNotNull, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import { SYNC_PAUSES_SECONDS } from "../../../budget/schedules/backoff.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { PriorValues, SubjectFinding, SyncOutcome, TenantRecord, TenantSubject } from "../../../records/tenant.ts";
import { auditInsert } from "../audit/audit-insert.ts";
import { type Database, runBatch, runQuery, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { tenantConfigs } from "../schema/tables.ts";
import { NEXT_REVISION } from "../settings-version.ts";
import { livingTenant, updatedAt } from "./tenant-changes.ts";
import { firstTenant, selectTenants } from "./tenant-rows.ts";

/** The request that changed the tenant may still be syncing it. */
const IN_FLIGHT = sql.raw("interval '30 seconds'");

const BACKOFF = sql.raw(`interval '1 second'
  * (array[${SYNC_PAUSES_SECONDS}])[greatest(1, least(t.litellm_sync_tries, ${SYNC_PAUSES_SECONDS.length}))]`);

/** One statement, so that two sweeps never claim the same tenant, and an attempt that crashes has been counted. */
export async function claimPendingSyncs(database: Database, limit: number, now: Instant): Promise<TenantId[]> {
  const at = timestampOf(now);
  const order = sql.raw("tried_at nulls first, since, tenant_id");
  const rows = await runStatement(
    database,
    sql`with due as (select t.tenant_id, t.litellm_sync_tried_at as tried_at, t.litellm_sync_since as since
      from tenant_configs t
      where t.litellm_sync = 'pending' and t.litellm_sync_since <= ${at} - ${IN_FLIGHT}
        and (t.litellm_sync_tried_at is null or t.litellm_sync_tried_at <= ${at} - ${BACKOFF})
      order by ${order} limit ${limit} for no key update skip locked),
    claimed as (update tenant_configs t
      set litellm_sync_tried_at = ${at}, litellm_sync_tries = t.litellm_sync_tries + 1
      from due where t.tenant_id = due.tenant_id returning due.*)
    select tenant_id from claimed order by ${order}`,
  );
  return rows.map((row) => row["tenant_id"] as TenantId);
}

export async function recordTenantSync(
  database: Database,
  tenantId: TenantId,
  revision: number,
  outcome: SyncOutcome,
): Promise<TenantRecord | null> {
  const rows = await runStatement(
    database,
    sql`with after as (update tenant_configs t set ${outcome.status === "synced" ? taken(outcome) : waiting(outcome)}
      where t.tenant_id = ${tenantId} and t.revision = ${revision} returning t.*)
    ${selectTenants({ tenants: sql`after` })}`,
  );
  return firstTenant(rows);
}

/** Keeps the metadata of adoption: later metadata holds Bursar's own mark. */
export async function recordPriorValues(
  database: Database,
  tenantId: TenantId,
  revision: number,
  { metadata: _, ...limits }: PriorValues,
): Promise<TenantRecord | null> {
  const rows = await runStatement(
    database,
    sql`with after as (update tenant_configs t
      set prior_values = t.prior_values || ${jsonbText(limits)}::jsonb, litellm_has_set_limits = true
      where t.tenant_id = ${tenantId} and t.revision = ${revision} and not t.litellm_has_set_limits returning t.*)
    ${selectTenants({ tenants: sql`after` })}`,
  );
  return firstTenant(rows);
}

export async function noteTenantBlock(database: Database, tenantId: TenantId, revision: number): Promise<boolean> {
  const isSuspended = and(
    eq(tenantConfigs.tenantId, tenantId),
    eq(tenantConfigs.revision, revision),
    isNotNull(tenantConfigs.suspendedAt),
  );
  const rows = await runQuery(database, (db) =>
    db
      .update(tenantConfigs)
      .set({ litellmHasBlocked: true })
      .where(isSuspended)
      .returning({ tenantId: tenantConfigs.tenantId }),
  );
  return rows.length > 0;
}

/** A subject that stays missing or blocked keeps its instant, and a tenant without a change its revision. */
export async function noteSubject(
  database: Database,
  { tenantId, subjectId }: TenantSubject,
  finding: SubjectFinding,
  now: Instant,
): Promise<TenantRecord | null> {
  const at = timestampOf(now);
  const isMissing = finding === "missing";
  const isBlocked = finding === "blocked";
  const line = { action: NOTED[finding], actor: "bursar", requestId: null, at: now } as const;
  const [noted, rows] = await runBatch(database, [
    sql`with before as (select * from tenant_configs t
      where t.tenant_id = ${tenantId} and t.subject_id = ${subjectId} and t.deleted_at is null and t.sealed_key is null
        and ((t.subject_missing_at is not null) <> ${isMissing} or (t.litellm_blocked_at is not null) <> ${isBlocked})
      for no key update),
    after as (update tenant_configs t
      set subject_missing_at = case when ${isMissing} then coalesce(t.subject_missing_at, ${at}) end,
        litellm_blocked_at = case when ${isBlocked} then coalesce(t.litellm_blocked_at, ${at}) end,
        ${NEXT_REVISION}, ${updatedAt(now)}
      from before where t.tenant_id = before.tenant_id returning t.*),
    audit as (${auditInsert({ ...line, before: sql`before`, after: sql`after` })})
    select from after`,
    livingTenant(tenantId),
  ]);
  return noted.length === 0 ? null : firstTenant(rows);
}

const NOTED: Readonly<Record<SubjectFinding, AuditAction>> = {
  missing: "subject_missing",
  blocked: "subject_blocked",
  usable: "subject_usable",
};

export async function noteTenantMark(database: Database, tenantId: TenantId, revision: number): Promise<string | null> {
  const rows = await runStatement(
    database,
    sql`update tenant_configs set mark_nonce = coalesce(mark_nonce, gen_random_uuid())
      where tenant_id = ${tenantId} and revision = ${revision} returning mark_nonce::text`,
  );
  return (rows[0]?.["mark_nonce"] as string | undefined) ?? null;
}

/**
 * A claim of the sweep has counted its attempt already. The first attempt of an administrator's request counts here.
 */
function waiting({ error, triedAt, isUnreachable }: SyncOutcome & { status: "pending" }) {
  const at = timestampOf(triedAt);
  const tries = isUnreachable ? sql`1` : sql`greatest(t.litellm_sync_tries, 1)`;
  return sql`litellm_sync = 'pending', litellm_sync_error = ${error},
    litellm_sync_since = case when t.litellm_sync = 'synced' then ${at} else t.litellm_sync_since end,
    litellm_sync_tried_at = ${at}, litellm_sync_tries = ${tries}`;
}

/**
 * Takes LiteLLM's end of the period when Bursar has none, or when this sync moved it while Bursar's end was still
 * ahead. Any other later end may mean that LiteLLM has reset, perhaps by a clock that is ahead. A read must find that
 * out, because the period must advance with it. Takes LiteLLM's creation time only for a key that Bursar has just
 * created; later it would move a running period.
 */
function taken(outcome: SyncOutcome & { status: "synced" }) {
  const at = timestampOf(outcome.triedAt);
  const resetsAt = sql`case when t.budget_reset_at is null
      or (${outcome.hasMovedReset} and t.budget_reset_at > ${timestampOf(outcome.readAt)})
    then ${timestampOf(outcome.resetsAt)} else t.budget_reset_at end`;
  const createdAt = sql`case when t.sealed_key is null then t.subject_created_at
    else coalesce(${timestampOf(outcome.subjectCreatedAt)}, t.subject_created_at) end`;
  return sql`litellm_sync = 'synced', litellm_sync_error = null,
    litellm_sync_since = case when t.litellm_sync = 'pending' then ${at} else t.litellm_sync_since end,
    litellm_sync_tried_at = ${at}, litellm_sync_tries = 0,
    litellm_budget_id = coalesce(t.litellm_budget_id, ${outcome.budgetId}), sealed_key = null,
    litellm_has_set_limits = (t.enforcement = 'enforce'),
    litellm_has_blocked = t.litellm_has_blocked and t.suspended_at is not null,
    budget_reset_at = ${resetsAt}, subject_created_at = ${createdAt},
    revision = case when (t.budget_reset_at, t.subject_created_at) is distinct from (${resetsAt}, ${createdAt})
      then nextval('config_revision') else t.revision end`;
}
