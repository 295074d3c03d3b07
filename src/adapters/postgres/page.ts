// Pages of lists that go from the newest on: which rows come after a cursor, and the cursor of the next page.
// Knows no table but what it is given.

import { type SQL, sql } from "drizzle-orm";
import type { Page } from "../../records/page.ts";
import { cursorOf, type PagePosition, positionOf } from "../../wire/page-cursor.ts";
import { timestampOf } from "./instants.ts";

/**
 * True for rows that come after the cursor in `order by <alias>.<moment> desc, <alias>.id`. Both are trusted text.
 * @throws when it is no cursor, which the door refuses.
 */
export function comesAfter(cursor: string | null, alias: string, moment = "created_at"): SQL {
  if (cursor === null) return sql`true`;
  const position = positionOf(cursor);
  if (position === null) throw new Error("not a cursor");
  const [at, id] = [sql.raw(`${alias}.${moment}`), sql.raw(`${alias}.id`)];
  // The first half is what an index can begin at.
  return sql`(${at} <= ${timestampOf(position.at)}
    and (${at} < ${timestampOf(position.at)} or ${id} > ${position.id}::uuid))`;
}

/** `rows` are one more than the limit where there is a next page. */
export function pageOf<T>(rows: readonly T[], limit: number, positionOf: (row: T) => PagePosition): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, next: rows.length > limit && last !== undefined ? cursorOf(positionOf(last)) : null };
}
