// Loads and saves the ledgers of spend. The rules are in budget/counting.ts; a ledger that has changed since it was
// loaded is not saved. A ledger of a later period advances the tenant's period, once.

import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { unsettledAround } from "../../../budget/counting.ts";
import type { Instant } from "../../../budget/instant.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import { decimalMoney } from "../../../ports/messages.ts";
import type { Ledgers } from "../../../ports/stores.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { LedgerChange, LedgerOwner, LedgerQuery, OpenLedger } from "../../../records/ledger.ts";
import type { TenantRecord } from "../../../records/tenant.ts";
import { auditInsert } from "../audit/audit-insert.ts";
import { type Database, type Row, runBatch, runStatement } from "../client.ts";
import { isoText, timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { NEXT_REVISION } from "../settings-version.ts";
import {
  ledgerFrom,
  ledgerJson,
  ledgerRows,
  ledgerUpsert,
  lockSpend,
  lockTenants,
  rawLedger,
  SELECT_LEDGER,
} from "./ledger-rows.ts";
import { updatedAt } from "./tenant-changes.ts";
import { selectTenants, tenantFromRow } from "./tenant-rows.ts";

const OWNER = sql.raw("tenant_id text, subject_kind text, subject_id text");

/** True for the living tenant `t` that still has the subject of the row `c`. */
const IS_OWN = sql.raw(`t.tenant_id = c.tenant_id and t.subject_kind = c.subject_kind and t.subject_id = c.subject_id
  and t.deleted_at is null`);

export function postgresLedgers(database: Database): Ledgers {
  return {
    load: (asked) => loadLedgers(database, asked),
    save: (changes) => saveLedgers(database, changes),
    forgetCalls: (before, limit) => forgetCalls(database, before, limit),
  };
}

async function loadLedgers(database: Database, asked: readonly LedgerQuery[]): Promise<OpenLedger[]> {
  if (asked.length === 0) return [];
  const rows = asked.map(({ answeredAt, ...owner }) => ({ ...ownerJson(owner), ...windowJson(answeredAt) }));
  const found = await runStatement(
    database,
    sql`with asked as (select t.tenant_id, c.since, c.cutoff
      from jsonb_to_recordset(${jsonbText(rows)}::jsonb) as c(${OWNER}, since timestamptz, cutoff timestamptz)
      join tenant_configs t on ${IS_OWN})
    select tenant.*, ${SELECT_LEDGER} as ledger, coalesce(s.spend_version, 0)::float8 as version,
      ${costOfCalls(sql`k.ended_at > a.cutoff`)} as after_cutoff,
      ${costOfCalls(sql`k.ended_at > a.since and k.ended_at <= a.cutoff`)} as at_read,
      ${costOfCalls(AT_BASE)} as at_base
    from (${selectTenants({ tenants: sql`(select * from tenant_configs where tenant_id in (select tenant_id from asked))` })}) tenant
    join asked a on a.tenant_id = tenant.tenant_id
    left join tenant_spend s on s.tenant_id = tenant.tenant_id`,
  );
  return found.map(openLedgerFrom);
}

/** The cost of the counted calls `k` of the tenant in the row `s` or `tenant`, as text. */
function costOfCalls(which: SQL, tenantId = sql`tenant.tenant_id`): SQL {
  return sql`(select coalesce(sum(k.cost), 0)::text from counted_calls k where k.tenant_id = ${tenantId} and ${which})`;
}

const windowJson = (answeredAt: Instant) => {
  const { from, to } = unsettledAround({ answeredAt });
  return { since: new Date(from).toISOString(), cutoff: new Date(to).toISOString() };
};

/** The calls around the base of the row `s`: those of `unsettledAround`. */
const AT_BASE = (() => {
  const { from, to } = unsettledAround({ answeredAt: 0 });
  return sql.raw(`k.ended_at > s.base_answered_at + interval '${from} milliseconds'
    and k.ended_at <= s.base_answered_at + interval '${to} milliseconds'`);
})();

/** The cost of the calls around the base of the row `s`, as text. */
export const UNSETTLED = costOfCalls(AT_BASE, sql`s.tenant_id`);

const openRow = z.object({
  ledger: rawLedger.nullable(),
  version: z.number(),
  after_cutoff: decimalMoney,
  at_read: decimalMoney,
  at_base: decimalMoney,
});

function openLedgerFrom(row: Row): OpenLedger {
  const { ledger, version, ...cost } = openRow.parse(row);
  const tenant = tenantFromRow(row);
  const { spend } = tenant;
  return {
    tenant,
    ledger: spend === null || ledger === null ? null : ledgerFrom(spend, ledger),
    version,
    calls: {
      afterCutoffNanoUsd: cost.after_cutoff,
      atReadNanoUsd: cost.at_read,
      atBaseNanoUsd: cost.at_base,
    },
  };
}

async function saveLedgers(database: Database, changes: readonly LedgerChange[]): Promise<TenantRecord[]> {
  if (changes.length === 0) return [];
  const tenantIds = changes.map(({ tenantId }) => tenantId);
  const asked = sql`select jsonb_array_elements_text(${jsonbText(tenantIds)}::jsonb)`;
  const rows = changes.map(({ ledger, version, ...owner }) => ({
    ...ownerJson(owner),
    version,
    ...ledgerJson(ledger),
  }));
  const advance = { action: "period_advanced", actor: "bursar", requestId: null, at: null } as const;
  const [, , saved, tenants] = await runBatch(database, [
    lockTenants(asked),
    lockSpend(asked),
    sql`with coming as (select c.* from ${ledgerRows(rows, sql`${OWNER}, version bigint`)}),
    before as (select t.* from tenant_configs t join coming c on ${IS_OWN} order by t.tenant_id
      for no key update of t),
    known as (select s.tenant_id, s.read_at, s.spend, s.period_started_at, s.source
      from tenant_spend s join before b on b.tenant_id = s.tenant_id),
    saved as (${ledgerUpsert(sql`coming c join before b on b.tenant_id = c.tenant_id`)}),
    advanced as (update tenant_configs t set ${NEW_PERIOD}, ${updatedAt(null)}
      from before b join saved s on s.tenant_id = b.tenant_id
      where t.tenant_id = b.tenant_id and ${IS_LATER_PERIOD} returning t.*),
    followed as (update tenant_configs t
      set budget_reset_at = s.resets_at, ${NEXT_REVISION}, ${updatedAt(null)}
      from before b join saved s on s.tenant_id = b.tenant_id left join known k on k.tenant_id = b.tenant_id
      where t.tenant_id = b.tenant_id and ${IS_NEW_END} returning t.*),
    audit as (${auditInsert({ ...advance, before: sql`before`, after: sql`advanced` })}),
    fall_audit as (${FALLS})
    select tenant_id from saved`,
    // A statement that waited for the lock does not see overrides granted meanwhile. The next statement does.
    sql`${selectTenants()} where t.tenant_id in (${asked}) and t.deleted_at is null`,
  ]);
  const isSaved = new Set(saved.map((row) => row["tenant_id"] as TenantId));
  return tenants.map(tenantFromRow).filter(({ config }) => isSaved.has(config.tenantId));
}

const FELL: AuditAction = "spend_fell";

/** The audit lines of spend that was lowered within a period. A ledger is saved once, so each fall has one line. */
const FALLS = sql`insert into audit_log (actor, action, tenant_id, before, after, detail)
  select 'bursar', ${FELL}, s.tenant_id, jsonb_build_object('spend', trim_scale(k.spend), 'source', k.source),
    jsonb_build_object('spend', trim_scale(s.spend), 'source', s.source),
    jsonb_build_object('period_started_at', ${sql.raw(isoText("s.period_started_at"))})
  from saved s join known k on k.tenant_id = s.tenant_id
  where s.period_started_at = k.period_started_at and s.spend < k.spend`;

/** Deletes calls that ended before `before`, at most `limit` of them, and returns how many it has deleted. */
async function forgetCalls(database: Database, before: Instant, limit: number): Promise<number> {
  const rows = await runStatement(
    database,
    // By an array, which Postgres looks up row by row: a join would read the whole table.
    sql`with gone as (delete from counted_calls where ctid = any(array(
      select ctid from counted_calls where ended_at < ${timestampOf(before)} limit ${limit})) returning 1)
    select count(*)::int as calls from gone`,
  );
  return Number(rows[0]?.["calls"] ?? 0);
}

export function ownerJson({ tenantId, subject }: LedgerOwner) {
  return { tenant_id: tenantId, subject_kind: subject.kind, subject_id: subject.id };
}

/** The columns that a new period sets, from its spend `s`. The notice and the publication to the edge follow. */
export const NEW_PERIOD = sql`litellm_key_last_reset = s.period_started_at, budget_reset_at = s.resets_at,
  period_seen_at = s.read_at, ${NEXT_REVISION}`;

/** When the current period of the tenant `b` began. */
export const PERIOD_START = sql.raw("coalesce(b.litellm_key_last_reset, b.subject_created_at)");

/** A second writer finds the period already advanced. */
const IS_LATER_PERIOD = sql`s.period_started_at > ${PERIOD_START}
  and s.resets_at > coalesce(b.budget_reset_at, '-infinity')`;

/** The newest read shows another end of the running period: its duration was changed in LiteLLM. */
const IS_NEW_END = sql`s.period_started_at = ${PERIOD_START}
  and s.read_at > coalesce(k.read_at, '-infinity') and s.resets_at is distinct from b.budget_reset_at`;
