// Leases in `tenant_configs` to read a tenant for reconciliation, taken and moved by compare-and-set. A lease changes
// no setting of the tenant and gives it no new revision.

import { sql } from "drizzle-orm";
import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { ReadLeases } from "../../ports/stores.ts";
import { type Database, type Row, runStatement } from "./client.ts";
import { timestampOf } from "./instants.ts";
import { jsonbText } from "./jsonb.ts";

export function postgresReadLeases(database: Database): ReadLeases {
  return {
    async take({ readBefore, until, limit, now }) {
      const rows = await runStatement(
        database,
        sql`with due as (select t.tenant_id, s.read_at from tenant_configs t
            left join tenant_spend s on s.tenant_id = t.tenant_id
          where t.deleted_at is null and case when t.read_leased_until is null
            then coalesce(s.read_at < ${timestampOf(readBefore)}, true)
            else t.read_leased_until < ${timestampOf(now)} end
          order by s.read_at nulls first, t.tenant_id limit ${limit} for no key update of t skip locked),
        leased as (update tenant_configs t set read_leased_until = ${timestampOf(until)}
          from due where t.tenant_id = due.tenant_id returning due.*)
        select tenant_id from leased order by read_at nulls first, tenant_id`,
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

const tenantIdOf = (row: Row): TenantId => row["tenant_id"] as TenantId;
