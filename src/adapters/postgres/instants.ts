// Instants in SQL: how a statement takes one as a parameter, and how it gives one back. Knows no table.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../budget/instant.ts";

/** An instant as a parameter that Postgres reads exactly. */
export function timestampOf(instant: Instant | null): SQL {
  return sql`${instant === null ? null : new Date(instant).toISOString()}::timestamptz`;
}

/** SQL for an instant in milliseconds. `column` is trusted text: a column's name with its alias. */
export const ms = (column: string): SQL => sql.raw(`(extract(epoch from ${column}) * 1000)::float8`);

/** SQL for an instant as ISO 8601 in UTC. `column` is trusted text. */
export function isoText(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** The instant of a column that Drizzle has read; null stays null. */
export function instantOf(date: Date): Instant;
export function instantOf(date: Date | null): Instant | null;
export function instantOf(date: Date | null): Instant | null {
  return date === null ? null : date.getTime();
}
