// Pages of a list, shared by every list of the admin API. Types only.

/** Lists go from the newest on; `before` is what the page before ended with. */
export interface PageQuery {
  readonly before: string | null;
  readonly limit: number;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** The cursor of the next page; null at the end. */
  readonly next: string | null;
}
