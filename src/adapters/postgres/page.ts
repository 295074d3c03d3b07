// Pages of lists that begin with the newest row: which rows follow a cursor, and the cursor of the next page.
// Knows no table except the columns it is given.

import { and, gt, gte, lt, lte, or, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Page, TimeRange } from "../../ports/page.ts";
import { cursorOf, type PagePosition, positionOf } from "../../wire/page-cursor.ts";

/**
 * The rows after the cursor in `order by <at> desc, <id>`; every row without a cursor.
 * @throws Error when the text is no cursor. The route has validated it.
 */
export function comesAfter(cursor: string | null, at: PgColumn, id: PgColumn): SQL | undefined {
  if (cursor === null) return undefined;
  const position = positionOf(cursor);
  if (position === null) throw new Error("not a cursor");
  const instant = new Date(position.at);
  // An index can start at the first condition; the second one skips the rows of the page before.
  return and(lte(at, instant), or(lt(at, instant), gt(id, position.id)));
}

/** The rows from `since` up to `until`; undefined without bounds. */
export function isWithin({ since = null, until = null }: TimeRange, at: PgColumn): SQL | undefined {
  return and(
    since === null ? undefined : gte(at, new Date(since)),
    until === null ? undefined : lt(at, new Date(until)),
  );
}

/** The first `limit` rows as a page. The query reads one row more than the limit, to see whether a page follows. */
export function pageOf<T>(rows: readonly T[], limit: number, positionOf: (row: T) => PagePosition): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, next: rows.length > limit && last !== undefined ? cursorOf(positionOf(last)) : null };
}
