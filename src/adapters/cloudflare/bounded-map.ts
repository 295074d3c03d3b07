// A Map for the memory of an isolate: bounded by an estimate of its bytes, it drops the entries that were set first.
// By bytes and not by entries, because one entry may be a thousand times as large as another.

/** An entry with a short key and some numbers. */
export const SMALL_ENTRY_BYTES = 250;

export class BoundedMap<K, V> extends Map<K, V> {
  readonly #maxBytes: number;
  readonly #bytesOf: (value: V) => number;
  #bytes = 0;

  /** `bytesOf`: an estimate of an entry with this value, which must not change while the map holds it. */
  constructor(maxBytes: number, bytesOf: (value: V) => number = () => SMALL_ENTRY_BYTES) {
    super();
    this.#maxBytes = maxBytes;
    this.#bytesOf = bytesOf;
  }

  /** Makes the entry the last one to be dropped. */
  override set(key: K, value: V): this {
    // A Map iterates in the order of insertion.
    this.delete(key);
    super.set(key, value);
    this.#bytes += this.#bytesOf(value);
    if (this.#bytes <= this.#maxBytes) return this;
    for (const oldest of this.keys()) {
      this.delete(oldest);
      if (this.#bytes <= this.#maxBytes) break;
    }
    return this;
  }

  override delete(key: K): boolean {
    const value = this.get(key);
    if (value !== undefined) this.#bytes -= this.#bytesOf(value);
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#bytes = 0;
  }
}
