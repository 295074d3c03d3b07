// Simulates a process that dies: after a given number of calls its ports have no further effect.

/** The error that every call of a dead process's ports throws. */
export class Killed extends Error {}

export interface Process<P> {
  readonly ports: P;
  /** How many calls took effect. Calls after the death do not count. */
  calls(): number;
}

/**
 * Wraps ports so that call number `last` still takes effect but throws instead of answering, and later calls only
 * throw. With 0 the process dies before the first call, with Infinity never. Counts only the ports named in `outside`;
 * the rest is the process's memory.
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
