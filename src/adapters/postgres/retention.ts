// Deletes rows by age, a bounded number in each statement. An index finds the rows of each kind, and rows that another
// statement has locked are skipped, so that overlapping sweeps neither wait for each other nor delete twice.

import { type SQL, sql } from "drizzle-orm";
import type { Age, Purged, Retention } from "../../ports/retention.ts";
import { type Database, runStatement } from "./client.ts";
import { timestampOf } from "./instants.ts";

interface Expiring {
  readonly table: SQL;
  readonly id: SQL;
  /** What the age is counted from. */
  readonly at: SQL;
  /** A further condition on the row `r`. */
  readonly where: SQL;
}

export function postgresRetention(database: Database): Retention {
  return {
    async purge(what, age, limit) {
      const [row] = await runStatement(database, deleteOf(EXPIRING[what], age, limit));
      return Number(row?.["purged"] ?? 0);
    },
  };
}

/** By an array, which Postgres looks up row by row; a join might read the whole table. */
function deleteOf({ table, id, at, where }: Expiring, { from, before }: Age, limit: number): SQL {
  const isRecent = from === null ? sql`true` : sql`r.${at} >= ${timestampOf(from)}`;
  return sql`with gone as (delete from ${table} d where d.${id} = any(array(select r.${id} from ${table} r
      where r.${at} < ${timestampOf(before)} and ${isRecent} and ${where}
      order by r.${at} limit ${limit} for update of r skip locked)) returning 1)
    select count(*)::int as purged from gone`;
}

const column = (name: string): SQL => sql.raw(name);
const ANY = sql.raw("true");

/** As `ALERTS` of spend-batches.ts loads them: an evaluation must find the same alerts before and after a purge. */
const IS_OVER = sql.raw(`not exists (select from tenant_configs t where t.tenant_id = r.tenant_id
    and r.period_started_at >= coalesce(t.litellm_key_last_reset, t.subject_created_at))
  and (r.event_type not in ('budget_blocked', 'budget_resolved') or exists (select from budget_alert_history newer
    where newer.tenant_id = r.tenant_id and newer.created_at > r.created_at
      and newer.event_type in ('budget_blocked', 'budget_resolved')))`);

const EXPIRING: Readonly<Record<Purged, Expiring>> = {
  audit_lines: { table: column("audit_log"), id: column("id"), at: column("at"), where: ANY },
  alerts: { table: column("budget_alert_history"), id: column("id"), at: column("created_at"), where: IS_OVER },
  platform_alerts: {
    table: column("platform_alerts"),
    id: column("id"),
    at: column("created_at"),
    where: sql.raw("r.ended_at is not null"),
  },
  // Deliveries have no id of their own.
  deliveries: { table: column("notice_deliveries"), id: column("ctid"), at: column("updated_at"), where: ANY },
  dead_letters: { table: column("dead_letters"), id: column("id"), at: column("recorded_at"), where: ANY },
  counted_webhooks: { table: column("counted_webhooks"), id: column("id"), at: column("counted_at"), where: ANY },
  deleted_tenants: {
    table: column("tenant_configs"),
    id: column("tenant_id"),
    at: column("deleted_at"),
    where: sql.raw("r.deleted_at is not null and r.litellm_sync = 'synced'"),
  },
};
