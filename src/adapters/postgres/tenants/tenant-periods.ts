// Resets by an administrator, reads that are due because a period ended, and periods whose notice is pending. A reset
// that LiteLLM makes by itself is recorded in tenant-spend.ts.

import { and, eq, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import type { Actor, AuditedChange, TenantObservation, TenantRecord, TenantSubject } from "../../../records/tenant.ts";
import { type AuditLine, auditInsert, lineOf } from "../audit/audit-insert.ts";
import { type Database, runBatch, runQuery, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { tenantConfigs } from "../schema/tables.ts";
import { auditedChange, updatedAt } from "./tenant-changes.ts";
import { selectTenants, tenantFromRow } from "./tenant-rows.ts";
import { isOwnSubject, JOIN_KNOWN, newPeriod, PERIOD_START, spendInsert } from "./tenant-spend.ts";

/** Compare-and-set on the period that the caller read: of two concurrent resets, one begins a period. */
export async function resetTenantPeriod(
  database: Database,
  observation: TenantObservation,
  since: Instant,
  actor: Actor,
): Promise<AuditedChange | null> {
  const { record } = observation;
  const itsOwn = isOwnSubject(observation);
  const [lines, rows] = await runBatch(database, [
    sql`with before as (select * from tenant_configs t where ${itsOwn} for no key update),
    after as (update tenant_configs t
      set ${newPeriod(record)}, ${updatedAt(actor.now)}
      from before where t.tenant_id = before.tenant_id and ${PERIOD_START} = ${timestampOf(since)} returning t.*),
    spend as (${spendInsert(record, sql`after`)} ${JOIN_KNOWN} returning *),
    audit as (${auditInsert(lineOf(actor, "period_reset"))} returning id),
    overtaken as (select * from before where not exists (select from after)),
    overtaken_audit as (${auditInsert(overtakenLine(actor))})
    select id::float8 as audit_id from audit`,
    sql`${selectTenants()} where ${itsOwn}`,
  ]);
  return auditedChange(lines, rows);
}

/** Another reset started the period first. This one has zeroed the spend in LiteLLM too, so it is audited. */
function overtakenLine(actor: Actor): AuditLine {
  const value = sql`jsonb_build_object('period_had_begun', true)`;
  return { ...lineOf(actor, "period_reset"), after: sql`overtaken`, detail: { from: sql`overtaken`, value } };
}

/**
 * LiteLLM resets up to ten minutes late, so every sweep schedules a read for the first ten minutes. A reset that never
 * comes (the key is deleted in LiteLLM, resets are off) backs off: the delay is a twentieth of the lateness, at most 1
 * h.
 */
const PACE = sql.raw("interval '30 seconds', least(interval '1 hour', (due_at - t.budget_reset_at) / 20)");

/**
 * One statement, so that two sweeps never claim the same tenant. Tenants without an attempt come first, then the oldest
 * attempt.
 */
export async function claimEndedPeriods(database: Database, limit: number, now: Instant): Promise<TenantSubject[]> {
  const at = timestampOf(now);
  const rows = await runStatement(
    database,
    sql`with due as (select t.tenant_id from tenant_configs t cross join (select ${at} as due_at) clock
      where t.budget_reset_at <= due_at and t.deleted_at is null
        and (t.period_close_tried_at is null or t.period_close_tried_at <= due_at - greatest(${PACE}))
      order by t.period_close_tried_at nulls first, t.budget_reset_at, t.tenant_id
      limit ${limit} for no key update of t skip locked)
    update tenant_configs t set period_close_tried_at = ${at} from due where t.tenant_id = due.tenant_id
    returning t.tenant_id, t.subject_id`,
  );
  return rows.map((row) => ({ tenantId: row["tenant_id"] as TenantId, subjectId: String(row["subject_id"]) }));
}

export async function findUnannounced(database: Database, before: Instant, limit: number): Promise<TenantRecord[]> {
  const rows = await runStatement(
    database,
    sql`${selectTenants()} where not t.period_announced and t.deleted_at is null
      and t.period_seen_at <= ${timestampOf(before)} order by t.period_seen_at limit ${limit}`,
  );
  return rows.map(tenantFromRow);
}

/** Changes no config, so nothing is published to the edge. */
export async function notePeriodAnnounced(
  database: Database,
  tenantId: TenantId,
  periodStartedAt: Instant,
): Promise<void> {
  const periodStart = sql`coalesce(${tenantConfigs.litellmKeyLastReset}, ${tenantConfigs.subjectCreatedAt})`;
  await runQuery(database, (db) =>
    db
      .update(tenantConfigs)
      .set({ periodAnnounced: true })
      .where(and(eq(tenantConfigs.tenantId, tenantId), eq(periodStart, timestampOf(periodStartedAt)))),
  );
}
