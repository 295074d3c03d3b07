// Paging, shared by the lists of the admin API. Types only.

/** Lists are newest first; `before` is the cursor from the previous page. */
export interface PageQuery {
  readonly before: string | null;
  readonly limit: number;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** The cursor of the next page; null at the end. */
  readonly next: string | null;
}
