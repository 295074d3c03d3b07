// Records the spend of a tenant and advances its period. One statement applies the rule of `joinRecords`, so the order
// of arrival does not matter: it never replaces a newer observation, and advances a period once.

import { type SQL, sql } from "drizzle-orm";
import { decimalFromNanoUsd } from "../../../budget/money.ts";
import { LOWER_READ_AFTER_MS, SOURCES_BY_TRUST, type SpendRecord } from "../../../budget/spend.ts";
import type { TenantObservation, TenantRecord } from "../../../records/tenant.ts";
import { auditInsert } from "../audit/audit-insert.ts";
import { type Database, runBatch } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { updatedAt } from "./tenant-changes.ts";
import { firstTenant, selectTenants } from "./tenant-rows.ts";

/** Inserts the spend record for the tenant in `tenants`. */
export function spendInsert(record: SpendRecord, tenants: SQL): SQL {
  return sql`insert into tenant_spend as s
      (tenant_id, spend, observed_at, read_at, source, period_started_at, resets_at, burn_per_second)
    select tenant_id, ${decimalFromNanoUsd(record.spendNanoUsd)}::numeric, ${timestampOf(record.observedAt)},
      ${timestampOf(record.readAt)}, ${record.source}, ${timestampOf(record.periodStartedAt)},
      ${timestampOf(record.resetsAt)}, ${decimalFromNanoUsd(record.spendRateNanoUsdPerSecond)}::numeric
    from ${tenants}`;
}

/**
 * Null when the tenant does not exist, or when its subject has changed: the observation then belongs to another
 * subject.
 */
export async function recordTenantSpend(
  database: Database,
  observation: TenantObservation,
): Promise<TenantRecord | null> {
  const { record } = observation;
  const advance = { action: "period_advanced", actor: "bursar", requestId: null, at: null } as const;
  const itsOwn = isOwnSubject(observation);
  const [, rows] = await runBatch(database, [
    sql`with before as (select * from tenant_configs t where ${itsOwn} for no key update),
    spend as (${spendInsert(record, sql`before`)} ${JOIN_KNOWN} returning *),
    advanced as (update tenant_configs t
      set ${newPeriod(record)}, ${updatedAt(null)}
      from before where t.tenant_id = before.tenant_id and ${isLaterPeriod(record)} returning t.*),
    followed as (update tenant_configs t
      set budget_reset_at = s.resets_at, revision = nextval('config_revision'), ${updatedAt(null)}
      from before join spend s on s.tenant_id = before.tenant_id
      where t.tenant_id = before.tenant_id and ${isNewEndOfPeriod(record)} returning t.*),
    audit as (${auditInsert({ ...advance, before: sql`before`, after: sql`advanced` })})
    select from before`,
    // A statement that waited for the lock does not see overrides granted meanwhile. The next statement does.
    sql`${selectTenants()} where ${itsOwn}`,
  ]);
  return firstTenant(rows);
}

/** True for the living tenant `t` that still has the subject of the observation. */
export function isOwnSubject({ tenantId, subject }: TenantObservation): SQL {
  return sql`t.tenant_id = ${tenantId} and t.deleted_at is null
    and t.subject_kind = ${subject.kind} and t.subject_id = ${subject.id}`;
}

/** The columns that a new period sets. The notice and the publication to the edge follow. */
export function newPeriod(record: SpendRecord): SQL {
  return sql`litellm_key_last_reset = ${timestampOf(record.periodStartedAt)},
    budget_reset_at = ${timestampOf(record.resetsAt)}, period_seen_at = ${timestampOf(record.readAt)},
    period_announced = false, revision = nextval('config_revision')`;
}

export const PERIOD_START = sql`coalesce(t.litellm_key_last_reset, t.subject_created_at)`;

/** Compare-and-set: a second writer finds the period already advanced. */
function isLaterPeriod(record: SpendRecord): SQL {
  return sql`${timestampOf(record.periodStartedAt)} > ${PERIOD_START}
    and ${timestampOf(record.resetsAt)} > coalesce(t.budget_reset_at, '-infinity')`;
}

/**
 * The newest read shows another end of the running period: the duration was changed in LiteLLM. A read that is already
 * recorded does not count, because the config may have received a later end since.
 */
function isNewEndOfPeriod(record: SpendRecord): SQL {
  return sql`${timestampOf(record.periodStartedAt)} = ${PERIOD_START}
    and s.period_started_at = ${timestampOf(record.periodStartedAt)} and s.read_at = ${timestampOf(record.readAt)}
    and not exists (select from tenant_spend known
      where known.tenant_id = t.tenant_id and known.read_at >= ${timestampOf(record.readAt)})
    and s.resets_at is not distinct from ${timestampOf(record.resetsAt)}
    and t.budget_reset_at is distinct from s.resets_at`;
}

/** `s` is the stored row, `excluded` the new one. A null is older than any instant. */
const KNOWN = sql.raw("s");
const COMING = sql.raw("excluded");

/** Constants of the rule as SQL text. Neither comes from input. */
const SOURCES = sql.raw(`array[${SOURCES_BY_TRUST.map((source) => `'${source}'`).join(", ")}]`);
const LOWER_READ_AFTER = sql.raw(`interval '${LOWER_READ_AFTER_MS} milliseconds'`);

/** What `spendRank` and `readRank` order two records of one period by. */
const spendRank = (of: SQL): SQL => sql`(${of}.spend, ${of}.observed_at, array_position(${SOURCES}, ${of}.source))`;
const readRank = (of: SQL): SQL =>
  sql`(coalesce(${of}.read_at, '-infinity'), coalesce(${of}.resets_at, '-infinity'), ${of}.burn_per_second)`;

/** The lower spend counts when its read is the newest and began at least 60 s after the higher spend was observed. */
const disproves = (lower: SQL, higher: SQL): SQL =>
  sql`(${lower}.spend <> ${higher}.spend and coalesce(${lower}.read_at > coalesce(${higher}.read_at, '-infinity')
    and ${lower}.read_at - ${higher}.observed_at >= ${LOWER_READ_AFTER}, false))`;

const takes = (withinPeriod: SQL): SQL => sql`case when s.period_started_at = excluded.period_started_at
  then ${withinPeriod} else s.period_started_at < excluded.period_started_at end`;
const TAKES_FIGURE = takes(sql`case when ${spendRank(KNOWN)} < ${spendRank(COMING)}
  then not ${disproves(KNOWN, COMING)} else ${disproves(COMING, KNOWN)} end`);
const TAKES_READ = takes(sql`${readRank(KNOWN)} < ${readRank(COMING)}`);

const chosen = (column: string, takesIt: SQL): SQL => {
  const name = sql.raw(column);
  return sql`${name} = case when ${takesIt} then excluded.${name} else s.${name} end`;
};

/** Merges the new record into the stored one. */
export const JOIN_KNOWN = sql`on conflict (tenant_id) do update set ${sql.join(
  [
    ...["spend", "observed_at", "source"].map((column) => chosen(column, TAKES_FIGURE)),
    ...["period_started_at", "resets_at", "read_at", "burn_per_second"].map((column) => chosen(column, TAKES_READ)),
  ],
  sql`, `,
)}`;
