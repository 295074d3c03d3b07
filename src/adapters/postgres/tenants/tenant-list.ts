// The list of tenants with its counts by state. Postgres computes the state by the rule of `stateAt`, exactly: with
// numerics only, and by multiplying percentages out instead of dividing.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import type { State } from "../../../budget/verdict.ts";
import type { TenantList, TenantListQuery } from "../../../records/tenant.ts";
import { type Database, runBatch } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { selectTenants, tenantFromRow } from "./tenant-rows.ts";

export async function listTenants(database: Database, query: TenantListQuery): Promise<TenantList> {
  const inState = query.state === null ? sql`` : sql`and ${STATE} = ${query.state}`;
  const isAfter = query.after === null ? sql`` : sql`and c.tenant_id > ${query.after}`;
  // One row more than the limit shows whether a page follows.
  const page = sql`(select c.* ${livingTenants(query.now)} ${inState} ${isAfter}
    order by c.tenant_id limit ${query.limit + 1})`;
  const [rows, counted] = await runBatch(database, [
    sql`${selectTenants({ tenants: page })} order by t.tenant_id`,
    sql`select ${STATE} as state, count(*)::int as count ${livingTenants(query.now)} group by 1`,
  ]);
  const tenants = rows.slice(0, query.limit).map(tenantFromRow);
  const counts: Record<State, number> = { ok: 0, warning: 0, grace: 0, blocked: 0, unknown: 0 };
  for (const { state, count } of counted) counts[state as State] = Number(count);
  return { tenants, next: rows.length > query.limit ? (tenants.at(-1)?.config.tenantId ?? null) : null, counts };
}

/** Every living tenant as `c`, its spend as `f`, and its limit at `now` as `l.amount`. */
function livingTenants(now: Instant): SQL {
  const at = timestampOf(now);
  return sql`from tenant_configs c
    left join tenant_spend f on f.tenant_id = c.tenant_id
    left join (select tenant_id, sum(override_amount) as amount from budget_overrides
      where created_at <= ${at} and ${at} < least(expires_at, revoked_at) group by tenant_id) o
      on o.tenant_id = c.tenant_id
    cross join lateral (select c.max_budget + coalesce(o.amount, 0) as amount) l
    where c.deleted_at is null`;
}

const STATE = sql`case
    when c.suspended_at is not null or c.litellm_blocked_at is not null or l.amount = 0 then 'blocked'
    when f.spend * 100 >= l.amount * c.grace_threshold then 'blocked'
    when c.subject_missing_at is not null or f.spend is null then 'unknown'
    when f.spend >= l.amount then 'grace'
    when f.spend * 100 >= l.amount * c.alert_threshold then 'warning'
    else 'ok' end`;
