// Paging, shared by the lists of the admin API. Types only.

import type { Instant } from "../budget/instant.ts";

/** Lists are newest first; `before` is the cursor from the previous page. */
export interface PageQuery {
  readonly before: string | null;
  readonly limit: number;
}

/** Absent or null: no bound. */
export interface TimeRange {
  /** Inclusive. */
  readonly since?: Instant | null;
  /** Exclusive. */
  readonly until?: Instant | null;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** The cursor of the next page; null at the end. */
  readonly next: string | null;
}
