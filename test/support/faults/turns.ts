// Lets calls of the outside run one at a time, in an order that chance decides: work that goes on at once is interleaved
// at random, and the same way for the same seed. Its timers pass only when nothing else is left to do.

import type { SeededRandom } from "../builders/seeded-random.ts";
import { VirtualTimers } from "../fakes/virtual-timers.ts";

/** `runUntil` gives turns until its work is done, which may wait for nothing but turns and timers. */
export class Turns extends VirtualTimers {
  readonly #random: SeededRandom | null;
  readonly #waiting: (() => Promise<void>)[] = [];

  /** Without chance the calls run in the order in which they came. */
  constructor(random: SeededRandom | null) {
    super();
    this.#random = random;
  }

  /** What `work` comes to, once it is its turn. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push(() => work().then(resolve, reject));
    return promise;
  }

  protected override async goOn(): Promise<boolean> {
    const [next] = this.#waiting.splice(this.#random?.below(this.#waiting.length) ?? 0, 1);
    if (next === undefined) return super.goOn();
    await next();
    return true;
  }
}
