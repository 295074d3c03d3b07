// Counts reported spend in one transaction: each call once, by the rule of `countCalls` in budget/counting.ts, and the
// lower bounds of webhooks.

import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { SKEW_MS } from "../../budget/counting.ts";
import { type Instant, iso } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import { SPEND_RATE_HALF_LIFE_MS, SPEND_RATE_SPAN_MS } from "../../budget/spend.ts";
import type { TenantId } from "../../budget/tenant.ts";
import { decimalMoney, spendRecordSchema } from "../../ports/messages.ts";
import { Outage } from "../../ports/outage.ts";
import type { CountedSpend, LedgerCall, LedgerOwner, Reported, SpendBound } from "../../records/ledger.ts";
import type { OnTenantFault } from "../../records/tenant.ts";
import { noteInserts } from "./audit/audit-notes.ts";
import { type Database, type Row, runBatch } from "./client.ts";
import { ms, timestampOf } from "./instants.ts";
import { jsonbText } from "./jsonb.ts";
import { readEachTenant } from "./read-each.ts";
import { HAS_BASE, lockSpend } from "./tenants/ledger-rows.ts";
import { ownerJson, UNSETTLED } from "./tenants/ledgers.ts";
import { SELECT_SPEND } from "./tenants/tenant-rows.ts";

/**
 * Returns the spend of every tenant that a call or a bound names, as it is afterwards. With `onFault` an amount that
 * Postgres refuses, such as a sum beyond any budget, undoes the transaction of its own tenant only.
 */
export async function countReported(
  database: Database,
  reported: Reported,
  now: Instant,
  onFault?: OnTenantFault,
): Promise<ReadonlyMap<TenantId, CountedSpend>> {
  try {
    return await countAtOnce(database, reported, now, onFault);
  } catch (cause) {
    if (onFault === undefined || cause instanceof Outage) throw cause;
    return await countApart(database, reported, now, onFault);
  }
}

/** Counts tenant by tenant: every call has its identity, and every note its source. */
async function countApart(
  database: Database,
  { calls, bounds, notes }: Reported,
  now: Instant,
  onFault: OnTenantFault,
): Promise<ReadonlyMap<TenantId, CountedSpend>> {
  await countAtOnce(database, { calls: [], bounds: [], notes }, now);
  const counted = new Map<TenantId, CountedSpend>();
  for (const tenantId of tenantsOf({ calls, bounds })) {
    const isOwn = (each: LedgerOwner) => each.tenantId === tenantId;
    const own = { calls: calls.filter(isOwn), bounds: bounds.filter(isOwn), notes: [] };
    try {
      for (const [id, spend] of await countAtOnce(database, own, now, onFault)) counted.set(id, spend);
    } catch (cause) {
      if (cause instanceof Outage) throw cause;
      onFault({ tenantId, cause });
    }
  }
  return counted;
}

function tenantsOf({ calls, bounds }: Omit<Reported, "notes">): TenantId[] {
  return [...new Set([...calls, ...bounds].map(({ tenantId }) => tenantId))];
}

async function countAtOnce(
  database: Database,
  { calls, bounds, notes }: Reported,
  now: Instant,
  onFault?: OnTenantFault,
): Promise<ReadonlyMap<TenantId, CountedSpend>> {
  const reported = sql`select jsonb_array_elements_text(${jsonbText(tenantsOf({ calls, bounds }))}::jsonb)`;
  const statements = [
    ...(calls.length > 0 ? [insertCalls(calls, now)] : []),
    ...(bounds.length > 0 ? [raiseSpend(bounds)] : []),
    ...noteInserts(notes, now),
  ];
  if (statements.length === 0) return new Map();
  const results: readonly (readonly Row[])[] = await runBatch(database, [
    lockSpend(reported),
    ...statements,
    sql`select s.tenant_id, ${SELECT_SPEND} as spend, case when ${HAS_BASE} then ${ms("s.base_answered_at")} end as base_answered_at,
        ${UNSETTLED} as unsettled
      from tenant_spend s where s.tenant_id in (${reported})`,
  ]);
  return new Map(readEachTenant(results.at(-1) ?? [], (row) => [tenantIdOf(row), countedFrom(row)] as const, onFault));
}

const tenantIdOf = (row: Row): TenantId => row["tenant_id"] as TenantId;

const countedRow = z.object({
  spend: spendRecordSchema,
  base_answered_at: z.number().nullable(),
  unsettled: decimalMoney,
});

function countedFrom(row: Row): CountedSpend {
  const { spend: record, base_answered_at: baseAnsweredAt, unsettled: unsettledNanoUsd } = countedRow.parse(row);
  return { record, baseAnsweredAt, unsettledNanoUsd };
}

const OWNED = sql.raw(`tenant_configs t on t.tenant_id = c.tenant_id and t.subject_kind = c.subject_kind
  and t.subject_id = c.subject_id and t.deleted_at is null`);

const OWNER = sql.raw("tenant_id text, subject_kind text, subject_id text");

/** The end of the last call that the base may contain. */
const CUTOFF = sql.raw(`s.base_answered_at + interval '${SKEW_MS} milliseconds'`);

/** As `spendRateAfter` of budget/spend.ts. */
function rateAfter(spend: SQL, now: SQL): SQL {
  const elapsed = sql`greatest(0.001, extract(epoch from ${now} - greatest(s.observed_at, s.read_at)))`;
  const fade = sql`power(2::numeric, -${elapsed} / ${sql.raw(String(SPEND_RATE_HALF_LIFE_MS / 1_000))})`;
  const rise = sql`(${spend} - s.spend)`;
  return sql`greatest(${rise} / greatest(${elapsed}, ${sql.raw(String(SPEND_RATE_SPAN_MS / 1_000))}),
    s.burn_per_second * ${fade} + ${rise} / ${elapsed} * (1 - ${fade}))`;
}

/**
 * Inserts the calls that are new, and adds those that ended after the base's cutoff. A tenant without a read keeps its
 * calls for the first one.
 */
function insertCalls(calls: readonly LedgerCall[], now: Instant): SQL {
  const rows = calls.map(({ id, endedAt, costNanoUsd, ...owner }) => ({
    ...ownerJson(owner),
    call_id: id,
    ended_at: iso(endedAt),
    cost: decimalFromNanoUsd(costNanoUsd),
  }));
  const at = timestampOf(now);
  return sql`with fresh as (insert into counted_calls (tenant_id, ended_at, call_id, cost)
      select c.tenant_id, c.ended_at, c.call_id, c.cost from jsonb_to_recordset(${jsonbText(rows)}::jsonb)
        as c(${OWNER}, call_id uuid, ended_at timestamptz, cost numeric) join ${OWNED}
      order by c.tenant_id, c.ended_at, c.call_id on conflict do nothing returning tenant_id, ended_at, cost),
    added as (select s.tenant_id, s.since + coalesce(sum(f.cost) filter (where f.ended_at > ${CUTOFF}
          and f.ended_at < coalesce(s.resets_at, 'infinity')), 0) as since
      from fresh f join tenant_spend s on s.tenant_id = f.tenant_id
      where ${HAS_BASE} group by s.tenant_id),
    summed as (select s.tenant_id, a.since, greatest(s.spend, s.base_value + a.since) as spend
      from added a join tenant_spend s on s.tenant_id = a.tenant_id)
    update tenant_spend s set since = n.since, counted_at = ${at}, spend_version = s.spend_version + 1, spend = n.spend,
      observed_at = case when n.spend > s.spend then ${at} else s.observed_at end,
      source = case when n.spend > s.spend then 'events' else s.source end,
      burn_per_second = case when n.spend > s.spend then ${rateAfter(sql`n.spend`, at)} else s.burn_per_second end
    from summed n where n.tenant_id = s.tenant_id`;
}

/** Raises the spend to the bounds of its own period, and begins the spend of a tenant that was never read. */
function raiseSpend(bounds: readonly SpendBound[]): SQL {
  const rows = bounds.map(({ spendNanoUsd, observedAt, periodStartedAt, resetsAt, ...owner }) => ({
    ...ownerJson(owner),
    spend: decimalFromNanoUsd(spendNanoUsd),
    observed_at: iso(observedAt),
    period_started_at: iso(periodStartedAt),
    resets_at: resetsAt === null ? null : iso(resetsAt),
  }));
  return sql`insert into tenant_spend as s (tenant_id, spend, observed_at, source, period_started_at, resets_at)
    select distinct on (t.tenant_id) t.tenant_id, c.spend, c.observed_at, 'webhook', c.period_started_at, c.resets_at
    from jsonb_to_recordset(${jsonbText(rows)}::jsonb) as c(${OWNER}, spend numeric, observed_at timestamptz,
      period_started_at timestamptz, resets_at timestamptz) join ${OWNED}
    order by t.tenant_id, c.spend desc
    on conflict (tenant_id) do update set spend = excluded.spend, observed_at = excluded.observed_at,
      source = excluded.source, spend_version = s.spend_version + 1
    where s.period_started_at = excluded.period_started_at and s.spend < excluded.spend`;
}
