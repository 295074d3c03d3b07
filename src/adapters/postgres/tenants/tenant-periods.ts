// Resets by an administrator, and reads that are due because a period ended. A reset that LiteLLM makes by itself is
// recorded in ledgers.ts.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import { PERIOD_READ_PAUSE } from "../../../budget/schedules/backoff.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import type { LedgerChange } from "../../../records/ledger.ts";
import type { Actor, AuditedChange, TenantSubject } from "../../../records/tenant.ts";
import { type AuditLine, auditInsert, lineOf } from "../audit/audit-insert.ts";
import { makeChange } from "../audit/make-change.ts";
import { type Database, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { NEXT_SETTINGS_VERSION } from "../settings-version.ts";
import { ledgerJson, ledgerRows, ledgerUpsert, lockSpend, lockTenants } from "./ledger-rows.ts";
import { NEW_PERIOD, PERIOD_START } from "./ledgers.ts";
import { auditedChange, updatedAt } from "./tenant-changes.ts";
import { selectTenants } from "./tenant-rows.ts";

/**
 * Compare-and-set on the period that the caller read: of two concurrent resets, one begins a period. Also on the
 * version of the ledger, because calls may have been counted since.
 */
export async function resetTenantPeriod(
  database: Database,
  { tenantId, subject, ledger, version }: LedgerChange,
  since: Instant,
  actor: Actor,
): Promise<AuditedChange | "stale" | null> {
  const itsOwn = sql`t.tenant_id = ${tenantId} and t.deleted_at is null
    and t.subject_kind = ${subject.kind} and t.subject_id = ${subject.id}`;
  const row = { tenant_id: tenantId, version, ...ledgerJson(ledger) };
  const line = lineOf(actor, "period_reset");
  const reset = sql`with before as (select * from tenant_configs t where ${itsOwn} for no key update),
    coming as (select c.* from ${ledgerRows([row], sql`tenant_id text, version bigint`)}),
    spend as (${ledgerUpsert(sql`coming c join before b on b.tenant_id = c.tenant_id and ${periodBeganAt(since)}`)}),
    after as (update tenant_configs t set ${NEW_PERIOD}, ${NEXT_SETTINGS_VERSION}, ${updatedAt(actor.now)}
      from spend s where t.tenant_id = s.tenant_id returning t.*),
    audit as (${auditInsert(line)}),
    overtaken as (select * from before b where not ${periodBeganAt(since)}),
    overtaken_audit as (${auditInsert(overtakenLine(line))})
    select from before`;
  return makeChange(database, {
    statements: [lockTenants(sql`${tenantId}`), lockSpend(sql`${tenantId}`), reset],
    outcome: (db) =>
      db.execute(sql`select tenant.*, l.id is null as is_stale,
          case when l.detail is null then l.id::float8 end as audit_id
        from (${selectTenants()} where ${itsOwn}) tenant left join audit_log l on l.source_id = ${line.sourceId}`),
    read: ({ rows: [row] }) => {
      if (row === undefined) return null;
      return row["is_stale"] === true ? "stale" : auditedChange(row);
    },
  });
}

const periodBeganAt = (since: Instant): SQL => sql`${PERIOD_START} = ${timestampOf(since)}`;

/** Another reset started the period first. This one has zeroed the spend in LiteLLM too, so it is audited. */
function overtakenLine(line: AuditLine): AuditLine {
  const value = sql`jsonb_build_object('period_had_begun', true)`;
  return { ...line, after: sql`overtaken`, detail: { from: sql`overtaken`, value } };
}

const { minSeconds, maxSeconds, partOfLateness } = PERIOD_READ_PAUSE;
const PAUSE = sql.raw(`greatest(interval '${minSeconds} seconds',
  least(interval '${maxSeconds} seconds', (due_at - t.budget_reset_at) / ${partOfLateness}))`);

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
        and (t.period_close_tried_at is null or t.period_close_tried_at <= due_at - ${PAUSE})
      order by t.period_close_tried_at nulls first, t.budget_reset_at, t.tenant_id
      limit ${limit} for no key update of t skip locked)
    update tenant_configs t set period_close_tried_at = ${at} where t.tenant_id = any(array(select tenant_id from due))
    returning t.tenant_id, t.subject_id`,
  );
  return rows.map((row) => ({ tenantId: row["tenant_id"] as TenantId, subjectId: String(row["subject_id"]) }));
}
