// The list of tenants with its counts. Filters and order follow `tenant_states`, which triggers keep: an override that
// has ended counts there until the sweep records its end. What the tenants say of themselves is exact.

import { type SQL, sql } from "drizzle-orm";
import type { StateReason } from "../../../budget/verdict.ts";
import type { TenantList, TenantListQuery, TenantPosition } from "../../../records/tenant.ts";
import { type Database, runBatch } from "../client.ts";
import { searchedText } from "../schema/tables.ts";
import { selectTenants, tenantFromRow } from "./tenant-rows.ts";

export async function listTenants(database: Database, query: TenantListQuery): Promise<TenantList> {
  const page = sql`(select c.* from page p join tenant_configs c on c.tenant_id = p.tenant_id)`;
  const [rows, counted] = await runBatch(database, [
    // One row more than the limit shows whether a page follows.
    sql`with page as materialized (${placesOf(query, query.limit + 1)})
      select tenant.*, p.used from (${selectTenants({ tenants: page })}) tenant
      join page p on p.tenant_id = tenant.tenant_id order by ${ORDER[query.sort]("p")}`,
    sql`select reason, sum(tenants)::int as tenants from tenant_state_counts group by reason`,
  ]);
  const shown = rows.slice(0, query.limit);
  const tenants = shown.map(tenantFromRow);
  const last: TenantPosition | undefined = tenants
    .map(({ config }, index) => ({ tenantId: config.tenantId, used: Number(shown[index]?.["used"]) }))
    .at(-1);
  return {
    tenants,
    next: rows.length > query.limit && last !== undefined ? last : null,
    counts: new Map(counted.map(({ reason, tenants: count }) => [reason as StateReason, Number(count)])),
  };
}

const ORDER = {
  tenant_id: (alias) => sql.raw(`${alias}.tenant_id`),
  "-used_percent": (alias) => sql.raw(`${alias}.used desc, ${alias}.tenant_id`),
} as const satisfies Record<TenantListQuery["sort"], (alias: string) => SQL>;

/** Each reason has its own range of an index, already in order: the first places of each are enough. */
function placesOf({ reasons, search, sort, after }: TenantListQuery, count: number): SQL {
  const isFound = search === null ? sql`` : sql`and (${searchedText("c.")}) ilike ${containing(search)}`;
  // Few, and without a place of their own: in either order by id.
  if (reasons === "deleted") {
    return sql`select c.tenant_id, -1 as used from tenant_configs c where c.deleted_at is not null ${isFound}
      and c.tenant_id > ${after?.tenantId ?? ""} order by c.tenant_id limit ${count}`;
  }
  const found = search === null ? sql`` : sql`join tenant_configs c on c.tenant_id = s.tenant_id`;
  const isAfter = after === null ? sql`` : comesAfter(sort, after);
  // A part for each, so that Postgres sees how rare each reason is.
  const parts = reasons.map(
    (reason) => sql`(select s.tenant_id, s.used from tenant_states s ${found}
      where s.reason = ${reason} ${isFound} ${isAfter} order by ${ORDER[sort]("s")} limit ${count})`,
  );
  const all = parts.length === 0 ? sql`select tenant_id, used from tenant_states where false` : sql.join(parts, UNION);
  return sql`select p.tenant_id, p.used from (${all}) p order by ${ORDER[sort]("p")} limit ${count}`;
}

const UNION = sql.raw(" union all ");

function comesAfter(sort: TenantListQuery["sort"], { tenantId, used }: TenantPosition): SQL {
  if (sort === "tenant_id") return sql`and s.tenant_id > ${tenantId}`;
  return sql`and s.used <= ${used}::integer and (s.used < ${used}::integer or s.tenant_id > ${tenantId})`;
}

/** A pattern of LIKE for a text that may be anywhere. */
function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`;
}
