// Wraps a port so that a test can make single verbs hang, answer slowly or fail. Counts the calls.

import type { Timers } from "../../../src/ports/ports.ts";

/** `hangs`: never answers. A number: answers after that many milliseconds. An error: throws it. */
export type Trouble = "hangs" | number | Error;

export interface Breakable<T extends object> {
  readonly port: T;
  trouble(verb: keyof T & string, trouble: Trouble | null): void;
  /** How often the verb was called, including calls that failed. */
  calls(verb: keyof T & string): number;
}

export function breakable<T extends object>(whole: T, timers: Timers): Breakable<T> {
  const troubles = new Map<string, Trouble>();
  const calls = new Map<string, number>();
  const port = new Proxy(whole, {
    get(target, verb) {
      const work: unknown = Reflect.get(target, verb, target);
      if (typeof work !== "function" || typeof verb !== "string") return work;
      return async (...args: unknown[]) => {
        calls.set(verb, (calls.get(verb) ?? 0) + 1);
        const trouble = troubles.get(verb);
        if (trouble instanceof Error) throw trouble;
        if (trouble === "hangs") return new Promise(() => {});
        if (trouble !== undefined) await timers.after(trouble).passed;
        return work.apply(target, args);
      };
    },
  });
  return {
    port,
    trouble(verb, trouble) {
      if (trouble === null) troubles.delete(verb);
      else troubles.set(verb, trouble);
    },
    calls: (verb) => calls.get(verb) ?? 0,
  };
}
