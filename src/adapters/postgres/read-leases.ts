// Leases in `tenant_configs` to read a tenant for reconciliation, taken and moved by compare-and-set. A lease changes
// no setting of the tenant and gives it no new revision.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { ReadLeases } from "../../ports/stores.ts";
import { type Database, type Row, runStatement } from "./client.ts";
import { timestampOf } from "./instants.ts";
import { jsonbText } from "./jsonb.ts";
import { PERHAPS_WITHOUT_SPEND } from "./tenants/tenant-rows.ts";

export function postgresReadLeases(database: Database): ReadLeases {
  return {
    async take(due) {
      const rows = await runStatement(
        database,
        sql`with ${dueTenants(due)},
        due as (select * from expired union all select * from unread union all select * from unknown
          union all select * from old order by read_at nulls first, tenant_id limit ${due.limit}),
        leased as (update tenant_configs t set read_leased_until = ${timestampOf(due.until)}
          where t.tenant_id = any(array(select tenant_id from due)))
        select tenant_id from due order by read_at nulls first, tenant_id`,
      );
      return rows.map(tenantIdOf);
    },

    /** Locks rows in one order, so that two deliveries of one message never deadlock. */
    async move(tenantIds: readonly TenantId[], from: Instant, to: Instant | null) {
      if (tenantIds.length === 0) return [];
      const rows = await runStatement(
        database,
        sql`with held as (select t.tenant_id from tenant_configs t
          where t.tenant_id in (select jsonb_array_elements_text(${jsonbText(tenantIds)}::jsonb))
            and t.read_leased_until = ${timestampOf(from)}
          order by t.tenant_id for no key update)
        update tenant_configs t set read_leased_until = ${timestampOf(to)}
        from held where t.tenant_id = held.tenant_id returning t.tenant_id`,
      );
      return rows.map(tenantIdOf);
    },
  };
}

/**
 * Tenants to lease, each in one of four parts, because each part has an index in its order (nulls first): an expired
 * lease; no read yet; no known spend; read before `readBefore`.
 */
function dueTenants({ readBefore, limit, now }: Parameters<ReadLeases["take"]>[0]): SQL {
  const part = (from: SQL, where: SQL, order: SQL) => sql`as (select t.tenant_id, s.read_at from ${from}
    where t.deleted_at is null and ${where} order by ${order} limit ${limit} for no key update of t skip locked)`;
  const isFree = sql`t.read_leased_until is null`;
  // Tenant by tenant, in the order of their reads: Postgres would rather read all tenants than look up a few thousand.
  const spend = sql`tenant_spend s cross join lateral (select * from tenant_configs t
    where t.tenant_id = s.tenant_id and t.deleted_at is null and ${isFree} offset 0) t`;
  return sql`expired ${part(
    sql`tenant_configs t left join lateral
      (select read_at from tenant_spend s where s.tenant_id = t.tenant_id offset 0) s on true`,
    sql`t.read_leased_until < ${timestampOf(now)}`,
    sql`t.read_leased_until`,
  )},
    unread ${part(spend, sql`s.read_at is null and ${isFree}`, sql`s.read_at nulls first`)},
    unknown ${part(PERHAPS_WITHOUT_SPEND, sql`s.tenant_id is null and ${isFree}`, sql`n.tenant_id`)},
    old ${part(spend, sql`s.read_at < ${timestampOf(readBefore)} and ${isFree}`, sql`s.read_at nulls first`)}`;
}

const tenantIdOf = (row: Row): TenantId => row["tenant_id"] as TenantId;
