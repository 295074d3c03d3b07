// Timers in virtual time, which passes only when no promise can settle without it. Time-outs are exact and take no real
// time. Only for code that waits for promises alone: time would pass before real I/O (sockets, crypto) completes.

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

  /** How many timers have neither passed nor been cancelled. */
  get running(): number {
    return this.#waiting.size;
  }

  after(ms: number) {
    const { promise: passed, resolve } = Promise.withResolvers<"passed">();
    const waiting = { at: this.#elapsedMs + ms, resolve };
    this.#waiting.add(waiting);
    return { passed, cancel: () => void this.#waiting.delete(waiting) };
  }

  /** Advances the time until `work` settles. @throws Error when `work` waits for something that never happens. */
  async runUntil<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (;;) {
      await settled();
      if (isDone) return work;
      if (!(await this.advance())) throw new Error("the work waits for something that never happens");
    }
  }

  /** Lets the next timer pass. False when there is none. */
  protected advance(): boolean | Promise<boolean> {
    return this.#passNext(Number.POSITIVE_INFINITY);
  }

  /** Advances the time by exactly `ms`. */
  async pass(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms;
    await settled();
    while (this.#passNext(until)) await settled();
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

/** Resolves when all microtasks have run, including those that they queue: a macrotask runs after them. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
