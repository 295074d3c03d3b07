// Lets calls of the outside run one at a time, in an order that chance decides: work that goes on at once is interleaved
// at random, and the same way for the same seed. Its timers pass only when nothing else is left to do.

import type { Timers } from "../../src/ports.ts";
import type { SeededRandom } from "./seeded-random.ts";

export class Turns implements Timers {
  readonly #random: SeededRandom | null;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #timers = new Set<{ readonly at: number; readonly resolve: (passed: "passed") => void }>();
  #elapsedMs = 0;

  /** Without chance the calls run in the order in which they came. */
  constructor(random: SeededRandom | null) {
    this.#random = random;
  }

  after(ms: number) {
    const { promise: passed, resolve } = Promise.withResolvers<"passed">();
    const timer = { at: this.#elapsedMs + ms, resolve };
    this.#timers.add(timer);
    return { passed, cancel: () => void this.#timers.delete(timer) };
  }

  /** What `work` comes to, once it is its turn. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push(() => work().then(resolve, reject));
    return promise;
  }

  /** Gives turns until `work` is done, which may wait for nothing but turns and timers. */
  async runUntil<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (;;) {
      // Whoever heard of the last call goes on as far as it can.
      await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return work;
      const [next] = this.#waiting.splice(this.#random?.below(this.#waiting.length) ?? 0, 1);
      if (next !== undefined) await next();
      else if (!this.#passTimer()) throw new Error("waits for ever");
    }
  }

  #passTimer(): boolean {
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (next === undefined) return false;
    this.#elapsedMs = next.at;
    this.#timers.delete(next);
    next.resolve("passed");
    return true;
  }
}
