// The newest figure of each tenant in Postgres, and the step into a later period. One statement applies the rule of
// `joinRecords` whatever arrives in whatever order; it never replaces a newer figure, and advances a period once.

import { type SQL, sql } from "drizzle-orm";
import { decimalFromNanoUsd } from "../../../budget/money.ts";
import { LOWER_READ_AFTER_MS, SOURCES_BY_WORTH, type SpendRecord } from "../../../budget/spend.ts";
import type { TenantObservation, TenantRecord } from "../../../records/tenant.ts";
import { auditInsert } from "../audit/audit-insert.ts";
import { type Database, runBatch } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { updatedAt } from "./tenant-changes.ts";
import { firstTenant, selectTenants } from "./tenant-rows.ts";

/** Inserts the figure for the tenant in `tenants`. */
export function spendInsert(record: SpendRecord, tenants: SQL): SQL {
  return sql`insert into tenant_spend as s
      (tenant_id, spend, observed_at, read_at, source, period_started_at, resets_at, burn_per_second)
    select tenant_id, ${decimalFromNanoUsd(record.spendNanoUsd)}::numeric, ${timestampOf(record.observedAt)},
      ${timestampOf(record.readAt)}, ${record.source}, ${timestampOf(record.periodStartedAt)},
      ${timestampOf(record.resetsAt)}, ${decimalFromNanoUsd(record.spendRateNanoUsdPerSecond)}::numeric
    from ${tenants}`;
}

/** Null when there is no such tenant, or when its subject is another one by now: the figure is none of its own. */
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
    // A statement that waited for the lock does not see the overrides that were granted meanwhile; the next one does.
    sql`${selectTenants()} where ${itsOwn}`,
  ]);
  return firstTenant(rows);
}

/** Of the tenant `t`, which is there and still has the figure's subject. */
export function isOwnSubject({ tenantId, subject }: TenantObservation): SQL {
  return sql`t.tenant_id = ${tenantId} and t.deleted_at is null
    and t.subject_kind = ${subject.kind} and t.subject_id = ${subject.id}`;
}

/** What is set when a tenant's period begins: people and the edge are yet to be told. */
export function newPeriod(record: SpendRecord): SQL {
  return sql`litellm_key_last_reset = ${timestampOf(record.periodStartedAt)},
    budget_reset_at = ${timestampOf(record.resetsAt)}, period_seen_at = ${timestampOf(record.readAt)},
    period_announced = false, revision = nextval('config_revision')`;
}

export const PERIOD_START = sql`coalesce(t.litellm_key_last_reset, t.subject_created_at)`;

/** Compare-and-set: whoever comes second finds the period already advanced. */
function isLaterPeriod(record: SpendRecord): SQL {
  return sql`${timestampOf(record.periodStartedAt)} > ${PERIOD_START}
    and ${timestampOf(record.resetsAt)} > coalesce(t.budget_reset_at, '-infinity')`;
}

/**
 * Within the config's period a read newer than all before has another end: somebody changed the duration in LiteLLM.
 * A read that was recorded already says nothing new, for the config may have been told a later end since.
 */
function isNewEndOfPeriod(record: SpendRecord): SQL {
  return sql`${timestampOf(record.periodStartedAt)} = ${PERIOD_START}
    and s.period_started_at = ${timestampOf(record.periodStartedAt)} and s.read_at = ${timestampOf(record.readAt)}
    and not exists (select from tenant_spend known
      where known.tenant_id = t.tenant_id and known.read_at >= ${timestampOf(record.readAt)})
    and s.resets_at is not distinct from ${timestampOf(record.resetsAt)}
    and t.budget_reset_at is distinct from s.resets_at`;
}

/** `s` is what Postgres has, `excluded` what comes. A null is older than any instant. */
const KNOWN = sql.raw("s");
const COMING = sql.raw("excluded");

/** The rule's own constants; both are ours, neither comes from outside. */
const SOURCES = sql.raw(`array[${SOURCES_BY_WORTH.map((source) => `'${source}'`).join(", ")}]`);
const LOWER_READ_AFTER = sql.raw(`interval '${LOWER_READ_AFTER_MS} milliseconds'`);

/** What `spendRank` and `readRank` order two records of one period by. */
const spendRank = (of: SQL): SQL => sql`(${of}.spend, ${of}.observed_at, array_position(${SOURCES}, ${of}.source))`;
const readRank = (of: SQL): SQL =>
  sql`(coalesce(${of}.read_at, '-infinity'), coalesce(${of}.resets_at, '-infinity'), ${of}.burn_per_second)`;

/** The lower figure counts when its read is the newest and was begun at least 60 s after the higher one was seen. */
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

/** What becomes of a figure that is there already. */
export const JOIN_KNOWN = sql`on conflict (tenant_id) do update set ${sql.join(
  [
    ...["spend", "observed_at", "source"].map((column) => chosen(column, TAKES_FIGURE)),
    ...["period_started_at", "resets_at", "read_at", "burn_per_second"].map((column) => chosen(column, TAKES_READ)),
  ],
  sql`, `,
)}`;
