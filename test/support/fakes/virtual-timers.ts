// Timers whose time passes only when nothing else can happen, so that deadlines and patience are exact and take no time.
// What they time must be promises alone: work of the real world (sockets, crypto) would be overtaken.

import type { Timers } from "../../../src/ports/ports.ts";

interface Waiting {
  readonly at: number;
  readonly resolve: (passed: "passed") => void;
}

export class VirtualTimers implements Timers {
  #elapsedMs = 0;
  readonly #waiting = new Set<Waiting>();

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** How many timers have neither passed nor been given up. */
  get running(): number {
    return this.#waiting.size;
  }

  after(ms: number) {
    const { promise: passed, resolve } = Promise.withResolvers<"passed">();
    const waiting = { at: this.#elapsedMs + ms, resolve };
    this.#waiting.add(waiting);
    return { passed, cancel: () => void this.#waiting.delete(waiting) };
  }

  /** Lets as much time pass as `work` takes, and not more. @throws when it waits for something that never comes. */
  async runUntil<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (;;) {
      await everythingThatCan();
      if (isDone) return work;
      if (!(await this.goOn())) throw new Error("waits for ever");
    }
  }

  /** Does the next thing that `runUntil` waits for; false when there is none. */
  protected goOn(): boolean | Promise<boolean> {
    return this.#passNext(Number.POSITIVE_INFINITY);
  }

  /** Lets exactly so much time pass. */
  async pass(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms;
    await everythingThatCan();
    while (this.#passNext(until)) await everythingThatCan();
    this.#elapsedMs = until;
  }

  #passNext(until: number): boolean {
    const [next] = [...this.#waiting].sort((a, b) => a.at - b.at);
    if (next === undefined || next.at > until) return false;
    this.#elapsedMs = next.at;
    this.#waiting.delete(next);
    next.resolve("passed");
    return true;
  }
}

/** A macrotask comes after all microtasks, also those that they queue. */
function everythingThatCan(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
