// The spend that newer versions count apart from the rows of keys and teams. It outlives a change, and even the
// deletion, of its row. Must never change what the database holds.

/** A key or team in memory. */
interface Counting {
  spend: number;
  reserved: number;
  readonly usedAt: number;
}

export class CountsApart {
  readonly #kept = new Map<string, Counting>();

  keep(id: string, counting: Counting | undefined): void {
    if (counting !== undefined) this.#kept.set(id, counting);
  }

  /** Puts a kept count into a row that was just read, unless its last use was before `since`. The higher one counts. */
  resume(id: string, view: Counting, since: number): void {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (kept === undefined || kept.usedAt <= since) return;
    view.spend = Math.max(view.spend, kept.spend);
    view.reserved = kept.reserved;
  }

  forget(id: string): void {
    this.#kept.delete(id);
  }
}
