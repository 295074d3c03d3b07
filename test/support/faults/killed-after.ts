// A process that dies: after so many calls of its ports it has no further effect on anything.

/** What a dead process would have thrown, if anybody could still hear it. */
export class Killed extends Error {}

export interface Process<P> {
  readonly ports: P;
  /** How many calls were made; those after the death are not counted. */
  calls(): number;
}

/**
 * The same ports, of which the call number `last` still takes effect, although nobody hears of its answer, and no later
 * one does. 0 dies before the first; Infinity lives for ever. Only what is named in `outside` counts: the rest is memory.
 */
export function killedAfter<P extends object>(ports: P, outside: readonly (keyof P)[], last: number): Process<P> {
  let calls = 0;
  const wrapped = outside.map((name) => {
    const port = ports[name] as object;
    const proxy = new Proxy(port, {
      get(target, verb) {
        const value: unknown = Reflect.get(target, verb);
        if (typeof value !== "function") return value;
        return async (...inputs: unknown[]) => {
          if (calls >= last) throw new Killed();
          calls++;
          const isLast = calls === last;
          const answer: unknown = await value.apply(target, inputs);
          if (isLast) throw new Killed();
          return answer;
        };
      },
    });
    return [name, proxy];
  });
  return { ports: { ...ports, ...Object.fromEntries(wrapped) } as P, calls: () => calls };
}
