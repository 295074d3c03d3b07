// The columns of a ledger in `tenant_spend`, and their conversion. Runs no statement.

import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Ledger } from "../../../budget/counting.ts";
import type { Instant } from "../../../budget/instant.ts";
import { decimalFromNanoUsd, type NanoUsd } from "../../../budget/money.ts";
import type { SpendRecord } from "../../../budget/spend.ts";
import { decimalMoney } from "../../../ports/messages.ts";
import { ms } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";

const COLUMNS = {
  spend: "numeric",
  observed_at: "timestamptz",
  read_at: "timestamptz",
  source: "text",
  period_started_at: "timestamptz",
  resets_at: "timestamptz",
  burn_per_second: "numeric",
  base_value: "numeric",
  base_answered_at: "timestamptz",
  since: "numeric",
  counted_at: "timestamptz",
  doubt_spend: "numeric",
  doubt_value: "numeric",
  doubt_at: "timestamptz",
  fence_at: "timestamptz",
  epoch: "int",
} as const;

type Column = keyof typeof COLUMNS;

const NAMES = Object.keys(COLUMNS) as Column[];
const listed = (alias: string): SQL => sql.raw(NAMES.map((name) => `${alias}${name}`).join(", "));

/** The columns of ledgers as a row type of JSON: `jsonb_to_recordset(…) as c(tenant_id text, <these>)`. */
const LEDGER_TYPES = sql.raw(
  Object.entries(COLUMNS)
    .map(([name, type]) => `${name} ${type}`)
    .join(", "),
);

/** The ledger's columns as JSON for such a row. */
export function ledgerJson(ledger: Ledger): Record<Column, string | number | null> {
  const { doubt } = ledger;
  return {
    spend: decimalFromNanoUsd(ledger.spendNanoUsd),
    observed_at: iso(ledger.observedAt),
    read_at: iso(ledger.readAt),
    source: ledger.source,
    period_started_at: iso(ledger.periodStartedAt),
    resets_at: iso(ledger.resetsAt),
    burn_per_second: decimalFromNanoUsd(ledger.spendRateNanoUsdPerSecond),
    base_value: decimalFromNanoUsd(ledger.baseNanoUsd),
    base_answered_at: iso(ledger.baseAnsweredAt),
    since: decimalFromNanoUsd(ledger.sinceNanoUsd),
    counted_at: iso(ledger.countedAt),
    doubt_spend: amount(doubt?.spendNanoUsd),
    doubt_value: amount(doubt?.valueNanoUsd),
    doubt_at: iso(doubt?.at ?? null),
    fence_at: iso(ledger.fenceAt),
    epoch: ledger.epoch,
  };
}

/**
 * Writes ledgers for the tenants in `from`, a relation `c` with a `tenant_id`, a `version` and the ledger's columns.
 * Leaves a row alone that has changed since its `version`.
 */
export function ledgerUpsert(from: SQL): SQL {
  const updates = NAMES.map((name) => `${name} = excluded.${name}`).join(", ");
  return sql`insert into tenant_spend as s (tenant_id, spend_version, ${listed("")})
    select c.tenant_id, c.version + 1, ${listed("c.")} from ${from} order by c.tenant_id
    on conflict (tenant_id) do update set spend_version = excluded.spend_version, ${sql.raw(updates)}
      where s.spend_version = excluded.spend_version - 1
    returning *`;
}

/** A relation `c` of ledgers, for `ledgerUpsert`. `rows` have what `ledgerJson` returns, and what `types` names. */
export function ledgerRows(rows: readonly object[], types: SQL): SQL {
  return sql`jsonb_to_recordset(${jsonbText(rows)}::jsonb) as c(${types}, ${LEDGER_TYPES})`;
}

/**
 * Locks tenants before their spend, for a batch that changes both. A new tenant has no spend to lock yet, and two such
 * batches would take its locks in opposite orders.
 */
export function lockTenants(tenantIds: SQL): SQL {
  return sql`select from tenant_configs where tenant_id in (${tenantIds}) order by tenant_id for no key update`;
}

/** Locks the tenants' spend in one order, so that the next statement of the batch sees what others have committed. */
export function lockSpend(tenantIds: SQL): SQL {
  return sql`select from tenant_spend where tenant_id in (${tenantIds}) order by tenant_id for no key update`;
}

/**
 * True when the spend of the row `s` was counted from its base. A Worker of the release before writes the spend alone,
 * for example of a new period, and leaves a base that is too high.
 */
export const HAS_BASE = sql.raw("(s.base_value is not null and s.spend >= s.base_value + s.since)");

/** What a ledger has beside its spend record, of the row `s`; null before the first read. */
export const SELECT_LEDGER = sql`case when ${HAS_BASE} then json_build_object(
  'base_value', s.base_value::text, 'base_answered_at', ${ms("s.base_answered_at")}, 'since', s.since::text,
  'counted_at', ${ms("s.counted_at")}, 'doubt_spend', s.doubt_spend::text, 'doubt_value', s.doubt_value::text,
  'doubt_at', ${ms("s.doubt_at")}, 'fence_at', ${ms("s.fence_at")}) end`;

const instant = z.number();

export const rawLedger = z.object({
  base_value: decimalMoney,
  base_answered_at: instant,
  since: decimalMoney,
  counted_at: instant.nullable(),
  doubt_spend: decimalMoney.nullable(),
  doubt_value: decimalMoney.nullable(),
  doubt_at: instant.nullable(),
  fence_at: instant.nullable(),
});

export function ledgerFrom(record: SpendRecord, raw: z.output<typeof rawLedger>): Ledger {
  const { doubt_spend: spendNanoUsd, doubt_value: valueNanoUsd, doubt_at: at } = raw;
  return {
    ...record,
    baseNanoUsd: raw.base_value,
    baseAnsweredAt: raw.base_answered_at,
    sinceNanoUsd: raw.since,
    countedAt: raw.counted_at,
    doubt: spendNanoUsd === null || valueNanoUsd === null || at === null ? null : { spendNanoUsd, valueNanoUsd, at },
    fenceAt: raw.fence_at ?? 0,
  };
}

const iso = (at: Instant | null): string | null => (at === null ? null : new Date(at).toISOString());
const amount = (nanoUsd: NanoUsd | undefined): string | null =>
  nanoUsd === undefined ? null : decimalFromNanoUsd(nanoUsd);
