// Describes everything in a database's schema `public` as data that tests can compare. Reads the catalog and never the
// schema of this tree, so that it shows the actual state. Leaves out pg_trgm, which stays when 0010 is rolled back.

import type pg from "pg";

const queries = {
  columns: `
    select c.relname as "table", row_number() over (partition by c.oid order by a.attnum) as position, a.attname as "column",
      format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as not_null, a.attidentity as identity,
      pg_get_expr(d.adbin, d.adrelid) as "default"
    from pg_attribute a join pg_class c on c.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0
      and not a.attisdropped
    order by 1, 2`,
  constraints: `
    select conrelid::regclass::text as "table", conname as name, contype as kind, pg_get_constraintdef(oid) as definition,
      convalidated as validated
    from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2`,
  indexes: `select tablename as "table", indexname as name, indexdef as definition
    from pg_indexes where schemaname = 'public' order by 1, 2`,
  sequences: `
    select s.sequencename as name, s.data_type::text as type, s.start_value, s.min_value, s.max_value, s.increment_by,
      s.cycle, s.cache_size, s.last_value
    from pg_sequences s where s.schemaname = 'public' order by 1`,
  relations: `select relname as name, relkind as kind from pg_class
    where relnamespace = 'public'::regnamespace order by 1`,
  others: `
    select 'type' as what, typname as name from pg_type t where typnamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = any(array[t.oid, t.typelem]) and d.deptype = 'e')
    union all select 'function', proname from pg_proc f where pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = f.oid and d.deptype = 'e')
    union all select 'extension', extname from pg_extension where extname <> 'pg_trgm'
    union all select 'trigger', tgname from pg_trigger where not tgisinternal
    order by 1, 2`,
} as const;

type Row = Readonly<Record<string, unknown>>;
export type Introspection = Readonly<Record<keyof typeof queries, readonly Row[]>>;

export async function introspect(client: pg.Client): Promise<Introspection> {
  const found: Partial<Record<keyof typeof queries, Row[]>> = {};
  for (const part of Object.keys(queries) as (keyof typeof queries)[]) {
    found[part] = (await client.query<Row>(queries[part])).rows;
  }
  return found as Introspection;
}
