// A KV namespace as Cloudflare's: one write a second for each key, others are refused. Counts the writes. Time is
// virtual. Shows every write at once.

import type { VirtualTimers } from "../fakes/virtual-timers.ts";

export class LimitedKv {
  readonly texts = new Map<string, string>();
  readonly written: string[] = [];
  refused = 0;
  reads = 0;
  isAway = false;
  readonly #timers: VirtualTimers;
  readonly #lastWrite = new Map<string, number>();

  constructor(timers: VirtualTimers) {
    this.#timers = timers;
  }

  /** As the Worker's binding. */
  get binding(): KVNamespace {
    return this as unknown as KVNamespace;
  }

  async get(keys: string | string[]): Promise<unknown> {
    this.reads += 1;
    if (this.isAway) throw new Error("KV is away");
    if (typeof keys === "string") return this.texts.get(keys) ?? null;
    return new Map(keys.map((key) => [key, this.texts.get(key) ?? null]));
  }

  async put(key: string, text: string): Promise<void> {
    if (this.isAway) throw new Error("KV is away");
    const last = this.#lastWrite.get(key);
    if (last !== undefined && this.#timers.elapsedMs - last < 1_000) {
      this.refused += 1;
      throw new Error("KV PUT failed: 429 Too Many Requests");
    }
    this.#lastWrite.set(key, this.#timers.elapsedMs);
    this.written.push(key);
    this.texts.set(key, text);
  }
}
