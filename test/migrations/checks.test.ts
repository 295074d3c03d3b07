// Every check constraint of the schema by its name, because adapters map these names to the errors of fields.

import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LocalPostgres } from "../../dev/postgres/start-postgres.ts";
import { STATE_REASONS } from "../../src/budget/verdict.ts";
import { connect, postgresBackends } from "../support/servers/postgres-backends.ts";
import { tags } from "./commands.ts";

const migrations = tags.map((tag) => readFileSync(new URL(`../../migrations/${tag}.sql`, import.meta.url), "utf8"));
const hash = "a".repeat(64);

/** A valid row of each table; the tests change one column of it. Values are SQL. */
const rows = {
  tenant_configs: { tenant_id: "'acme'", subject_kind: "'key'", subject_id: "'h'", subject_created_at: "now()" },
  tenant_keys: { key_hash: `'${hash}'`, tenant_id: "'acme'" },
  tenant_spend: {
    ...{ tenant_id: "'acme'", spend: "1", observed_at: "now()", source: "'litellm'", period_started_at: "now()" },
  },
  budget_overrides: {
    ...{ id: "gen_random_uuid()", tenant_id: "'acme'", override_amount: "1", created_at: "'2026-01-01'" },
    ...{ expires_at: "'2026-01-02'", reason: "'r'", created_by: "'a'" },
  },
  budget_alert_history: {
    ...{
      id: "gen_random_uuid()",
      tenant_id: "'acme'",
      identity: "'i'",
      event_type: "'e'",
      spend: "1",
      max_budget: "1",
    },
    ...{ period_started_at: "now()", limit_version: "1", percentage: "null" },
  },
  tenant_states: { tenant_id: "'acme'" },
  notification_channels: { id: "gen_random_uuid()", kind: "'slack'", name: "'n'", sealed_target: "'s'" },
  notice_deliveries: { alert_id: "gen_random_uuid()", channel_id: "gen_random_uuid()" },
  platform_alerts: {
    ...{ id: "gen_random_uuid()", kind: "'dead_letter'", detail: "'{}'", begun_at: "now()", created_at: "now()" },
  },
  litellm_outage: { pings: "'[]'" },
  audit_log: { actor: "'a'", action: "'webhook_received'", source_id: "'m'" },
  counted_calls: { tenant_id: "'acme'", ended_at: "now()", call_id: "gen_random_uuid()" },
  dead_letters: { id: "gen_random_uuid()", queue: "'spend'", message_id: "'m'", body: "'{}'" },
};
type Table = keyof typeof rows;

const notNegative = { refused: ["-0.000000001", "'NaN'"], accepted: ["0", "999999999999999.999999999"] };
const countFromZero = { refused: ["-1"], accepted: ["0", "7"] };
const only = (...accepted: string[]) => ({ accepted, refused: ["'other'", "''", accepted[0]?.toUpperCase() ?? ""] });

const checks: [name: string, table: Table, column: string, values: { refused: string[]; accepted: string[] }][] = [
  ["tenant_configs_subject_kind_known", "tenant_configs", "subject_kind", only("'key'", "'team'")],
  ["tenant_configs_max_budget_not_negative", "tenant_configs", "max_budget", notNegative],
  [
    ...(["tenant_configs_alert_threshold_range", "tenant_configs", "alert_threshold"] as const),
    { refused: ["49.99", "100.01", "'NaN'"], accepted: ["50", "79.99", "100"] },
  ],
  [
    ...(["tenant_configs_grace_threshold_range", "tenant_configs", "grace_threshold"] as const),
    { refused: ["99.99", "150.01", "'NaN'"], accepted: ["100", "109.99", "150"] },
  ],
  [
    ...(["tenant_configs_budget_duration_format", "tenant_configs", "budget_duration"] as const),
    {
      refused: ["'banana'", "'0d'", "'030d'", "'-1d'", "'30'", "'1y'", "'30D'", "' 30d'", "''", "e'30d\\n'", "'1.5h'"],
      accepted: ["'1s'", "'10m'", "'24h'", "'90d'", "'2w'", "'1mo'", "null"],
    },
  ],
  ["tenant_configs_carried_not_negative", "tenant_configs", "carried", notNegative],
  ["tenant_configs_config_version_positive", "tenant_configs", "config_version", { refused: ["0"], accepted: ["1"] }],
  ["tenant_configs_enforcement_known", "tenant_configs", "enforcement", only("'enforce'", "'observe'")],
  ["tenant_configs_fail_policy_known", "tenant_configs", "fail_policy", only("'open'", "'closed'", "null")],
  ["tenant_configs_litellm_sync_known", "tenant_configs", "litellm_sync", only("'synced'", "'pending'")],
  [
    ...(["tenant_keys_key_hash_format", "tenant_keys", "key_hash"] as const),
    { refused: ["'sk-raw'", `'${hash}a'`, `'${"A".repeat(64)}'`, `e'${hash}\\n'`], accepted: [`'${"0f".repeat(32)}'`] },
  ],
  ["tenant_spend_spend_not_negative", "tenant_spend", "spend", notNegative],
  ["tenant_spend_burn_per_second_not_negative", "tenant_spend", "burn_per_second", notNegative],
  ["tenant_spend_since_not_negative", "tenant_spend", "since", notNegative],
  ["counted_calls_cost_not_negative", "counted_calls", "cost", notNegative],
  ["litellm_outage_one_row", "litellm_outage", "id", { refused: ["0", "2"], accepted: ["1"] }],
  ["tenant_spend_source_known", "tenant_spend", "source", only("'litellm'", "'webhook'", "'events'", "'gate'")],
  [
    ...(["budget_overrides_override_amount_positive", "budget_overrides", "override_amount"] as const),
    { refused: ["0", "-1", "'NaN'"], accepted: ["0.000000001"] },
  ],
  [
    ...(["budget_overrides_expires_after_creation", "budget_overrides", "expires_at"] as const),
    { refused: ["'2026-01-01'", "'2025-12-31'"], accepted: ["'2026-01-01 00:00:00.001'"] },
  ],
  ["budget_alert_history_spend_not_negative", "budget_alert_history", "spend", notNegative],
  ["budget_alert_history_max_budget_not_negative", "budget_alert_history", "max_budget", notNegative],
  ["budget_alert_history_limit_amount_not_negative", "budget_alert_history", "limit_amount", notNegative],
  [
    ...(["budget_alert_history_percentage_not_negative", "budget_alert_history", "percentage"] as const),
    { refused: ["-0.01", "'NaN'"], accepted: ["0", "80.00", "50000000000.00", "null"] },
  ],
  ["budget_alert_history_occurrence_not_negative", "budget_alert_history", "occurrence", countFromZero],
  ["budget_alert_history_repetition_not_negative", "budget_alert_history", "repetition", countFromZero],
  [
    "notification_channels_kind_known",
    "notification_channels",
    "kind",
    only("'slack'", "'email'", "'webhook'", "'pagerduty'", "'teams'", "'discord'"),
  ],
  [
    ...(["notice_deliveries_status_known", "notice_deliveries", "status"] as const),
    only("'pending'", "'sent'", "'skipped'", "'superseded'", "'failed'"),
  ],
  ["notice_deliveries_attempts_not_negative", "notice_deliveries", "attempts", countFromZero],
  ["notice_deliveries_open_attempts_not_negative", "notice_deliveries", "open_attempts", countFromZero],
  [
    ...(["notification_channels_min_severity_known", "notification_channels", "min_severity"] as const),
    only("'info'", "'warning'", "'critical'"),
  ],
  [
    ...(["notice_deliveries_of_one_alert", "notice_deliveries", "platform_alert_id"] as const),
    { refused: ["gen_random_uuid()"], accepted: ["null"] },
  ],
  [
    ...(["platform_alerts_kind_known", "platform_alerts", "kind"] as const),
    only(
      "'dead_letter'",
      "'sync_pending'",
      "'litellm_silent'",
      "'litellm_out'",
      "'litellm_unreadable'",
      "'subject_missing'",
      "'mark_copied'",
      "'spend_fell'",
      "'channel_broken'",
      "'budgets_reset'",
    ),
  ],
  ["dead_letters_attempts_not_negative", "dead_letters", "attempts", countFromZero],
  ["tenant_states_reason_known", "tenant_states", "reason", only(...STATE_REASONS.map((reason) => `'${reason}'`))],
];

describe.each(postgresBackends)("checks on $name", ({ start }) => {
  let postgres: LocalPostgres;
  let client: pg.Client;

  beforeAll(async () => {
    postgres = await start();
    client = await connect(postgres.databaseUrl);
    for (const migration of migrations) await client.query(migration);
  });

  afterAll(async () => {
    await client.end();
    await postgres.stop();
  });

  /** The constraint that rejects the row with this value, or null. Rolls the row back. */
  async function refusedBy(table: Table, column: string, value: string): Promise<string | null> {
    const row: Record<string, string> = { ...rows[table], [column]: value };
    await client.query("begin");
    try {
      // These tests ignore foreign keys.
      if (table !== "tenant_configs") await client.query(insert("tenant_configs", rows.tenant_configs));
      // The tenant has one row, by a trigger.
      if (table === "tenant_states") await client.query("delete from tenant_states");
      if (table === "notice_deliveries") await makeAlertAndChannel(client, row);
      await client.query(insert(table, row));
      return null;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === "23514") return error.constraint ?? "";
      throw error;
    } finally {
      await client.query("rollback");
    }
  }

  it.each(checks)(
    "check %s refuses invalid rows and accepts valid ones",
    async (name, table, column, { refused, accepted }) => {
      for (const value of refused) expect([value, await refusedBy(table, column, value)]).toEqual([value, name]);
      for (const value of accepted) expect([value, await refusedBy(table, column, value)]).toEqual([value, null]);
    },
  );

  it("every check of the schema is tested here", async () => {
    const { rows: found } = await client.query(
      "select conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace",
    );
    expect(found.map(({ conname }) => conname).sort()).toEqual(checks.map(([name]) => name).sort());
  });

  it("gives one subject to one tenant only, one alert to one identity, and one line to one source", async () => {
    await client.query(insert("tenant_configs", rows.tenant_configs));
    const twin = client.query(insert("tenant_configs", { ...rows.tenant_configs, tenant_id: "'other'" }));
    await expect(twin).rejects.toMatchObject({ code: "23505", constraint: "tenant_configs_subject_unique" });
    await client.query(insert("budget_alert_history", rows.budget_alert_history));
    const again = client.query(insert("budget_alert_history", rows.budget_alert_history));
    await expect(again).rejects.toMatchObject({ code: "23505", constraint: "budget_alert_history_identity_unique" });
    await client.query(insert("audit_log", rows.audit_log));
    const line = client.query(insert("audit_log", rows.audit_log));
    await expect(line).rejects.toMatchObject({ code: "23505", constraint: "audit_log_source_unique" });
    await client.query(insert("audit_log", { ...rows.audit_log, source_id: "null" }));
    await client.query(insert("audit_log", { ...rows.audit_log, source_id: "null" }));
    await client.query(insert("dead_letters", rows.dead_letters));
    const letter = client.query(insert("dead_letters", rows.dead_letters));
    await expect(letter).rejects.toMatchObject({ code: "23505", constraint: "dead_letters_message_unique" });
  });
});

function insert(table: Table, row: Record<string, string>): string {
  return `insert into ${table} (${Object.keys(row).join(", ")}) values (${Object.values(row).join(", ")})`;
}

async function makeAlertAndChannel(client: pg.Client, delivery: Record<string, string>): Promise<void> {
  const id = "'00000000-0000-4000-8000-000000000001'";
  await client.query(insert("budget_alert_history", { ...rows.budget_alert_history, id }));
  await client.query(insert("notification_channels", { ...rows.notification_channels, id }));
  Object.assign(delivery, { alert_id: id, channel_id: id });
}
