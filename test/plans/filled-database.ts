// A database as large as the largest deployments: 100,000 tenants, 2,000,000 lines of audit, 200,000 alerts; or with
// fewer tenants and as many rows for each. Filled in SQL within a minute. One tenant, `t1`, has far more rows than the
// others.

import pg from "pg";
import { createDatabase, migrate } from "../support/servers/postgres-backends.ts";

export const TENANTS = 100_000;

/** Of each table, the part that belongs to the tenant with far more rows. */
const LOUD = 20;

const uuid = (of: string) => `md5(${of} || i)::uuid`;

function statementsFor(tenants: number): readonly string[] {
  /** The id of a tenant that `i` chooses: every twentieth row is of `t1`. */
  const anyTenant = `case when i % ${LOUD} = 0 then 't1' else 't' || (1 + (i * 7919::bigint) % ${tenants}) end`;
  const [auditLines, alerts] = [tenants * 20, tenants * 2];
  return [
    // Foreign keys and the triggers of the states would take most of the time.
    "set session_replication_role = replica",
    `insert into tenant_configs (tenant_id, name, subject_kind, subject_id, max_budget, subject_created_at, created_at,
        budget_reset_at, period_close_tried_at, period_announced, period_seen_at, suspended_at, subject_missing_at,
        deleted_at, litellm_sync, litellm_sync_since, litellm_sync_tried_at, litellm_sync_tries, read_leased_until)
      select 't' || i, 'Company ' || md5('n' || i), case when i % 10 = 0 then 'team' else 'key' end,
        md5('a' || i) || md5('b' || i), 500, now() - interval '100 days', now() - interval '100 days',
        case when i % 50 = 0 then now() - interval '1 hour' else now() + interval '10 days' end,
        case when i % 100 = 0 then now() - interval '20 seconds' end, i % 400 <> 0,
        case when i % 400 = 0 then now() - interval '1 hour' end, case when i % 100 = 7 then now() end,
        case when i % 500 = 8 then now() - interval '1 day' end, case when i % 100 = 9 then now() - interval '1 day' end,
        case when i % 200 = 3 then 'pending' else 'synced' end, now() - interval '1 hour',
        case when i % 200 = 3 then now() - interval '2 minutes' end, 1,
        case when i % 60 = 1 then now() + interval '5 minutes' end
      from generate_series(1, ${tenants}) i`,
    `insert into tenant_keys (key_hash, tenant_id, ends_at)
      select subject_id, tenant_id, null from tenant_configs where subject_kind = 'key' and deleted_at is null
      union all select md5('c' || i) || md5('d' || i), 't' || i, now() + (i % 40 - 2) * interval '1 hour'
        from generate_series(1, ${tenants / 20}) i`,
    `insert into tenant_spend (tenant_id, spend, observed_at, read_at, source, period_started_at, resets_at, base_value,
        base_answered_at)
      select 't' || i, (i * 7919::bigint) % 650, now(), now() - (i % 2760) * interval '1 second', 'litellm',
        now() - interval '20 days', now() + interval '10 days', 0, now() from generate_series(1, ${tenants}) i where i % 200 <> 4`,
    `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, end_noted_at, reason, created_by)
      select ${uuid("'o'")}, ${anyTenant}, 10, now() - interval '30 days',
        now() + (i % 2000 - 20) * interval '1 minute', case when i % 5 <> 0 then now() end, '', 'ops'
      from generate_series(1, ${tenants / 5}) i`,
    `insert into audit_log (at, actor, action, tenant_id, detail, source_id)
      select now() - (${auditLines} - i) * interval '15 seconds', case when i % 20 = 0 then 'ops' else 'litellm' end,
        case when i % 100 = 0 then 'override_granted' when i % 100 = 1 then 'tenant_suspended'
          when i % 10 = 2 then 'alert_recorded' else 'webhook_received' end, ${anyTenant},
        case when i % 100 = 0 then jsonb_build_object('override_id', ${uuid("'o'")}) else '{"event":"spend_tracked"}' end,
        case when i % 10 = 0 then 'webhook/' || md5('s' || i) end
      from generate_series(1, ${auditLines}) i`,
    `insert into budget_alert_history (id, tenant_id, identity, event_type, threshold, spend, max_budget, limit_amount,
        percentage, period_started_at, limit_version, created_at)
      select ${uuid("'h'")}, ${anyTenant}, 'identity-' || i, (array['threshold_crossed', 'budget_crossed',
          'budget_blocked', 'budget_resolved', 'budget_reset'])[1 + (i / 20) % 5], 80, 400, 500, 500, 80,
        now() - interval '20 days', 1, now() - (${alerts} - i) * interval '2 minutes'
      from generate_series(1, ${alerts}) i`,
    `insert into notification_channels (id, tenant_id, kind, name, sealed_target, created_at)
      select ${uuid("'c'")}, case when i > 3 then ${anyTenant} end, 'slack', 'channel ' || i, 'v1.sealed',
        now() - i * interval '1 minute' from generate_series(1, ${tenants / 5}) i`,
    `insert into notice_deliveries (alert_id, channel_id, status, next_attempt_at, digest_at)
      select ${uuid("'h'")}, md5('c' || (1 + i % 3))::uuid, case when i % 100 = 1 then 'pending' else 'sent' end,
        case when i % 200 = 1 then now() - interval '1 hour' end,
        case when i % 200 = 101 then date_trunc('hour', now()) end
      from generate_series(1, ${alerts}) i`,
    `insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at)
      select ${uuid("'p'")}, 'budgets_reset', '{}', now(), now() - i * interval '1 hour', now()
      from generate_series(1, ${tenants / 20}) i`,
    `insert into notice_deliveries (platform_alert_id, channel_id, status)
      select ${uuid("'p'")}, md5('c' || (1 + i % 3))::uuid, 'sent' from generate_series(1, ${tenants / 20}) i`,
    `insert into dead_letters (id, queue, message_id, body, recorded_at, replayed_at)
      select ${uuid("'d'")}, 'spend', 'm' || i, '{}', now() - i * interval '1 minute',
        case when i % 2 = 0 then now() end from generate_series(1, ${tenants / 5}) i`,
    `insert into counted_calls (tenant_id, ended_at, call_id, cost)
      select ${anyTenant}, now() - interval '2 hours 10 minutes' + i * interval '15 milliseconds', ${uuid("'k'")}, 0.01
      from generate_series(1, ${tenants * 5}) i`,
    `insert into counted_webhooks (id, counted_at)
      select md5('r' || i), now() - i * interval '1 second' from generate_series(1, ${tenants / 2}) i`,
  ];
}

/** With the indexes in place. */
const FILL_STATES: readonly string[] = [
  "analyze",
  `insert into tenant_states select * from compute_tenant_states((select array_agg(tenant_id) from tenant_configs))`,
  "insert into tenant_state_counts select reason, count(*) from tenant_states group by reason",
  "set session_replication_role = default",
  "vacuum analyze",
];

/** Drops the indexes that belong to no constraint. Returns their definitions. */
async function dropIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ indexname: string; indexdef: string }>(
    `select indexname, indexdef from pg_indexes where schemaname = 'public'
       and indexname not in (select conname from pg_constraint)`,
  );
  for (const { indexname } of rows) await client.query(`drop index ${indexname}`);
  return rows.map(({ indexdef }) => indexdef);
}

export interface FilledDatabase {
  readonly client: pg.Client;
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

/** Fills the tables of a migrated and empty database. `tenants`: a multiple of 1,000. */
export async function fill(client: pg.Client, tenants: number): Promise<void> {
  const indexes = await dropIndexes(client);
  for (const statement of statementsFor(tenants)) await client.query(statement);
  // Made at once, an index takes a fraction of the time.
  for (const statement of [...indexes, ...FILL_STATES]) await client.query(statement);
}

export async function fillDatabase(serverUrl: string, tenants = TENANTS): Promise<FilledDatabase> {
  const { databaseUrl, drop } = await createDatabase(serverUrl);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await migrate(client);
  await fill(client, tenants);
  return {
    client,
    databaseUrl,
    async stop() {
      await client.end();
      await drop();
    },
  };
}
