// Runs calls of ports one at a time in a random order, so that concurrent work is interleaved at random. A seed
// reproduces the order. Timers pass only when no call is waiting.

import type { SeededRandom } from "../builders/seeded-random.ts";
import { VirtualTimers } from "../fakes/virtual-timers.ts";

/** `runUntil` runs the waiting calls until its work is done. That work may wait only for turns and timers. */
export class Turns extends VirtualTimers {
  readonly #random: SeededRandom | null;
  readonly #waiting: (() => Promise<void>)[] = [];

  /** With `random` null the calls run in the order in which they were made. */
  constructor(random: SeededRandom | null) {
    super();
    this.#random = random;
  }

  /** Runs `work` when its turn comes, and resolves with its result. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push(() => work().then(resolve, reject));
    return promise;
  }

  protected override async advance(): Promise<boolean> {
    const [next] = this.#waiting.splice(this.#random?.below(this.#waiting.length) ?? 0, 1);
    if (next === undefined) return super.advance();
    await next();
    return true;
  }
}
