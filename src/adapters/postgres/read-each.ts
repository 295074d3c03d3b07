// Reads rows one by one, so that a row that cannot be read does not fail the others. Runs no statement.

import type { Row } from "./client.ts";

/** Hands rows that `read` refuses to `onUnreadable` and leaves them out. @throws the first of them without it. */
export function readEach<T>(
  rows: readonly Row[],
  read: (row: Row) => T,
  onUnreadable?: (row: Row, cause: unknown) => void,
): T[] {
  return rows.flatMap((row) => {
    try {
      return [read(row)];
    } catch (cause) {
      if (onUnreadable === undefined) throw cause;
      onUnreadable(row, cause);
      return [];
    }
  });
}
