// The stored states of tenants and their counts: they follow every writer, and agree with the rules.

import fc from "fast-check";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { limitAt } from "../../../src/budget/limit.ts";
import { decimalFromNanoUsd, shareOf } from "../../../src/budget/money.ts";
import { stateAt } from "../../../src/budget/verdict.ts";
import {
  anOverride,
  anyAlertThreshold,
  anyGraceThreshold,
  anyLimit,
  aTenantConfig,
  NOW,
} from "../../budget/builders.ts";
import { EMBEDDED, postgresBackends } from "../../support/servers/postgres-backends.ts";
import { type TenantDatabase, useTenants } from "../../support/servers/tenant-database.ts";

/** Spend exactly at a threshold, a nano-dollar to either side, or anywhere. */
const spendNear = fc.record({
  line: fc.constantFrom("alertsAtNanoUsd", "limitNanoUsd", "blocksAtNanoUsd", null),
  offset: fc.constantFrom(-1n, 0n, 1n),
  anywhere: fc.bigInt({ min: 0n, max: 2n * 10n ** 18n }),
});

const anyTenant = fc.record({
  maxBudgetNanoUsd: fc.oneof(fc.constant(0n), anyLimit),
  alertThreshold: anyAlertThreshold,
  graceThreshold: anyGraceThreshold,
  suspendedAt: fc.constantFrom(null, null, null, null, null, NOW),
  subjectMissingAt: fc.constantFrom(null, null, null, NOW),
  litellmBlockedAt: fc.constantFrom(null, null, null, null, null, NOW),
  isDeleted: fc.constantFrom(false, false, false, true),
  overrides: fc.array(fc.record({ amountNanoUsd: anyLimit, isEnded: fc.boolean() }), { maxLength: 3 }),
  spend: fc.option(spendNear, { nil: null, freq: 6 }),
});
type AnyTenant = typeof anyTenant extends fc.Arbitrary<infer T> ? T : never;

const configOf = ({ overrides, ...any }: AnyTenant) => {
  const open = overrides.filter(({ isEnded }) => !isEnded);
  return aTenantConfig({ ...any, overrides: open.map(({ amountNanoUsd }) => anOverride({ amountNanoUsd })) });
};

function spendOf(any: AnyTenant): bigint | null {
  if (any.spend === null) return null;
  const { line, offset, anywhere } = any.spend;
  const spend = line === null ? anywhere : limitAt(configOf(any), NOW)[line] + offset;
  return spend < 0n ? 0n : spend;
}

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

/** Makes the tenants be as they are wanted, by inserts, or by changes of the rows that are there. */
async function arrange(db: TenantDatabase, wanted: readonly AnyTenant[]): Promise<void> {
  const rows = wanted.map((any, index) => {
    const spend = spendOf(any);
    return {
      tenant_id: `t${index}`,
      max_budget: decimalFromNanoUsd(any.maxBudgetNanoUsd),
      alert_threshold: String(Number(any.alertThreshold) / 100),
      grace_threshold: String(Number(any.graceThreshold) / 100),
      suspended_at: iso(any.suspendedAt),
      subject_missing_at: iso(any.subjectMissingAt),
      litellm_blocked_at: iso(any.litellmBlockedAt),
      deleted_at: iso(any.isDeleted ? NOW : null),
      spend: spend === null ? null : decimalFromNanoUsd(spend),
    };
  });
  const overrides = wanted.flatMap((any, index) =>
    any.overrides.map(({ amountNanoUsd, isEnded }) => ({
      tenant_id: `t${index}`,
      override_amount: decimalFromNanoUsd(amountNanoUsd),
      end_noted_at: iso(isEnded ? NOW : null),
    })),
  );
  const settings = [
    ...["max_budget", "alert_threshold", "grace_threshold", "suspended_at", "subject_missing_at", "litellm_blocked_at"],
    "deleted_at",
  ];
  await db.query(
    `insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at, ${settings})
     select tenant_id, 'team', tenant_id, now(), ${settings} from jsonb_populate_recordset(null::tenant_configs, $1)
     on conflict (tenant_id) do update set ${settings.map((each) => `${each} = excluded.${each}`)}`,
    [JSON.stringify(rows)],
  );
  await db.query("delete from tenant_spend where tenant_id in (select tenant_id from tenant_spend limit 2)");
  await db.query(
    `insert into tenant_spend (tenant_id, spend, observed_at, source, period_started_at)
     select tenant_id, spend, now(), 'litellm', now() from jsonb_populate_recordset(null::tenant_spend, $1)
     where spend is not null on conflict (tenant_id) do update set spend = excluded.spend`,
    [JSON.stringify(rows)],
  );
  const unknown = rows.filter(({ spend }) => spend === null).map((row) => row.tenant_id);
  await db.query("delete from tenant_spend where tenant_id = any($1)", [unknown]);
  await db.query("delete from budget_overrides where end_noted_at is null");
  await db.query("update budget_overrides set end_noted_at = null");
  await db.query("delete from budget_overrides");
  await db.query(
    `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, end_noted_at, reason, created_by)
     select gen_random_uuid(), tenant_id, override_amount, now(), now() + interval '1 hour', null, '', ''
     from jsonb_populate_recordset(null::budget_overrides, $1)`,
    [JSON.stringify(overrides)],
  );
  await db.query(
    `update budget_overrides o set end_noted_at = r.end_noted_at from jsonb_populate_recordset(null::budget_overrides, $1) r
     where o.tenant_id = r.tenant_id and o.override_amount = r.override_amount`,
    [JSON.stringify(overrides)],
  );
}

const statesIn = (db: TenantDatabase) =>
  db.query<{ tenant_id: string; reason: string; used: number }>("select * from tenant_states order by tenant_id");

const countsIn = async (db: TenantDatabase) =>
  Object.fromEntries(
    (
      await db.query<{ reason: string; tenants: number }>(
        "select reason, sum(tenants)::int as tenants from tenant_state_counts group by reason having sum(tenants) <> 0",
      )
    ).map(({ reason, tenants }) => [reason, tenants]),
  );

function countsOf(reasons: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(reasons, (reason) => reason)].map(([reason, all]) => [reason, all.length]));
}

describe.each(postgresBackends)("the stored states of tenants on $name", (backend) => {
  const { db } = useTenants(backend);

  it("are those of stateAt, to the nano-dollar, after every change of a setting, the spend or an override", async () => {
    const seen = new Set<string>();
    const rounds = fc.array(fc.array(anyTenant, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(rounds, async (each) => {
        await db.empty();
        const present = new Map<string, AnyTenant>();
        for (const wanted of each) {
          await arrange(db, wanted);
          for (const [index, any] of wanted.entries()) present.set(`t${index}`, any);
          for (const [id, any] of present) {
            if (Number(id.slice(1)) >= wanted.length) present.set(id, { ...any, overrides: [] });
          }
        }
        const stored = await statesIn(db);
        const spends = new Map(
          (await db.query<{ tenant_id: string; spend: string }>("select tenant_id, spend from tenant_spend")).map(
            (row) => [row.tenant_id, BigInt(row.spend.replace(".", ""))],
          ),
        );
        const living = [...present].filter(([, any]) => !any.isDeleted).sort(([a], [b]) => (a < b ? -1 : 1));
        const expected = living.map(([tenantId, any]) => {
          const config = configOf(any);
          const spend = spends.get(tenantId) ?? null;
          const share = spend === null ? null : shareOf(spend, limitAt(config, NOW).limitNanoUsd);
          const used = share === null ? -1 : Math.min(Number(share), 2 ** 31 - 1);
          return { tenant_id: tenantId, reason: stateAt(config, spend, NOW).reason, used };
        });
        expect(stored.sort((a, b) => (a.tenant_id < b.tenant_id ? -1 : 1))).toEqual(expected);
        expect(await countsIn(db)).toEqual(countsOf(expected.map(({ reason }) => reason)));
        for (const { reason } of expected) seen.add(reason);
      }),
      { numRuns: 25 },
    );
    expect(seen.size).toBe(9);
  });

  it("count no tenant after all are gone, by deletion or by truncation", async () => {
    const insert = "insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at)";
    await db.query(`${insert} select i::text, 'team', i::text, now() from generate_series(1, 50) i`);
    expect(await countsIn(db)).toEqual({ spend_unknown: 50 });
    await db.query("delete from tenant_configs where tenant_id <= '3'");
    expect(await countsIn(db)).toEqual({ spend_unknown: 27 });
    await db.empty();
    expect(await countsIn(db)).toEqual({});
  });

  it.skipIf(backend.name === EMBEDDED)(
    "stay right when consumers, administrators and the sweep change the same tenants at once, without a deadlock",
    async () => {
      await db.query(`insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at)
        select 't' || i, 'team', i::text, now() from generate_series(1, 40) i`);
      await db.query(`insert into tenant_spend (tenant_id, spend, observed_at, source, period_started_at)
        select tenant_id, 0, now(), 'litellm', now() from tenant_configs where tenant_id > 't15'`);
      await db.query(`insert into budget_overrides (id, tenant_id, override_amount, expires_at, reason, created_by)
        select gen_random_uuid(), tenant_id, 100, now() + interval '1 hour', '', '' from tenant_configs`);
      // The locks that the product takes: each sort of rows in the order of ids.
      const some = "select 't' || i from generate_series(1, 40) i where random() < 0.5";
      const writers = {
        spend: `with asked as materialized (${some}), locked as (select tenant_id from tenant_spend
            where tenant_id in (select * from asked) order by tenant_id for no key update)
          update tenant_spend s set spend = random() * 700 from locked l where l.tenant_id = s.tenant_id`,
        config: `update tenant_configs set max_budget = 400 + random() * 200,
            suspended_at = case when random() < 0.1 then now() end where tenant_id = (${some} order by random() limit 1)`,
        sweep: `with before as (select tenant_id from tenant_configs where tenant_id in (${some}) for no key update skip locked)
          update budget_overrides o set end_noted_at = case when random() < 0.5 then now() end
          from before b where o.tenant_id = b.tenant_id`,
      };
      const url = (await db.query<{ url: string }>("select current_database() as url"))[0]?.url ?? "";
      const server = new URL(process.env["TEST_DATABASE_URL"] ?? "");
      server.pathname = url;
      const pool = new pg.Pool({ connectionString: server.href, max: 12 });
      try {
        await Promise.all(
          Object.values(writers).flatMap((statement) =>
            Array.from({ length: 4 }, async () => {
              for (let round = 0; round < 40; round++) await pool.query(statement);
            }),
          ),
        );
      } finally {
        await pool.end();
      }
      const stored = await statesIn(db);
      const right = await db.query(
        "select * from compute_tenant_states((select array_agg(tenant_id) from tenant_configs)) order by tenant_id",
      );
      expect(stored).toEqual(right);
      expect(await countsIn(db)).toEqual(countsOf(stored.map(({ reason }) => reason)));
      const [rows] = await db.query<{ rows: number }>("select count(*)::int as rows from tenant_state_counts");
      expect(rows?.rows).toBeLessThan(120);
    },
  );
});
