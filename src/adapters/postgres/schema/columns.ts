// The column types that Bursar's tables share, and the checks that several tables have. Defines no table.

import { sql } from "drizzle-orm";
import { type AnyPgColumn, check, type ExtraConfigColumn, numeric, timestamp } from "drizzle-orm/pg-core";

/** USD. Nine decimals are the nano-USD of the rules; fifteen digits before the point outlast any budget. */
export const money = (name: string) => numeric(name, { precision: 24, scale: 9 });
/** Percent of the limit as people set it: two decimals, because 109.99 is allowed and 110.00 is not. */
export const percent = (name: string) => numeric(name, { precision: 6, scale: 2 });
/** Milliseconds, the precision of a JavaScript date, so that what is read equals what was written. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });

export const notNegative = (name: string, column: AnyPgColumn) => check(name, sql`${column} >= 0`);
/** In Postgres NaN is a numeric that is greater than every other one. */
export const moneyNotNegative = (name: string, column: AnyPgColumn) =>
  check(name, sql`${column} >= 0 and ${column} <> 'NaN'`);
/** `order by … desc` puts nulls first. An index with nulls last does not serve that order. */
export const newestFirst = (column: ExtraConfigColumn) => column.desc().nullsFirst();
export const oneOf = (name: string, column: AnyPgColumn, values: readonly string[]) =>
  check(name, sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(", "))})`);
export const matches = (name: string, column: AnyPgColumn, pattern: string) =>
  check(name, sql`${column} ~ ${sql.raw(`'${pattern}'`)}`);
export const between = (name: string, column: AnyPgColumn, low: number, high: number) =>
  check(name, sql`${column} between ${sql.raw(String(low))} and ${sql.raw(String(high))}`);
