// A Redis inside this process, on ioredis-mock: nothing to install, nothing kept after the process ends.
// As strict as the mock, no more: it forgives a wrong number of arguments and a key of the wrong type.

import { randomUUID } from "node:crypto";
import RedisMock from "ioredis-mock";
import {
  type Command,
  CommandRefusedError,
  notAvailable,
  type RedisStore,
  type Reply,
  refuseConnectionCommand,
} from "./redis-store.ts";

/** The mock knows the options of SET in capitals only; Upstash's client writes `nx`, `ex`. */
const setOptionsFrom = 2;

type Method = (...args: string[]) => Promise<unknown>;

export function createEmbeddedRedis(): RedisStore {
  // The mock gives all instances of one host the same data; a unique host is a store of its own.
  const redis = new RedisMock({ host: `embedded-${randomUUID()}` });
  let last: Promise<unknown> = Promise.resolve();

  /** Everything goes in single file, so that nothing comes between the commands of a transaction. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };

  async function perform(command: Command): Promise<unknown> {
    const [name, ...words] = command;
    const method = methodOf(redis, command);
    const isOption = (at: number) => /^set$/i.test(name) && at >= setOptionsFrom;
    const args = words.map((word, at) => (isOption(at) ? word.toUpperCase() : word));
    if (/^(incr|decr)(by)?$/i.test(name)) await refuseTextAsNumber(redis, args[0] ?? "");
    try {
      return await method.apply(redis, args);
    } catch (error) {
      throw new CommandRefusedError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  return {
    run: (command) => alone(() => perform(command)),
    runTogether: (commands) =>
      alone(async () => {
        for (const command of commands) methodOf(redis, command);
        const replies: Reply[] = [];
        for (const command of commands) {
          replies.push(
            await perform(command).then(
              (result) => ({ result }),
              (error: Error) => ({ error: error.message }),
            ),
          );
        }
        return replies;
      }),
    open: async () => {},
    close: async () => {},
  };
}

/** The mock has a method per command it knows, beside private ones and plain fields: only the former are commands. */
function methodOf(redis: object, command: Command): Method {
  refuseConnectionCommand(command);
  const [name] = command;
  const key = name.toLowerCase();
  const method: unknown = /^[a-z]+$/.test(key) ? Object.getOwnPropertyDescriptor(redis, key) : undefined;
  const { value, enumerable } = (method ?? {}) as PropertyDescriptor;
  if (typeof value !== "function" || enumerable !== true) throw notAvailable(name);
  return value as Method;
}

/** The mock would turn a text into NaN and store that. */
async function refuseTextAsNumber(redis: { get(key: string): Promise<string | null> }, key: string): Promise<void> {
  const value = await redis.get(key);
  if (value !== null && !/^-?\d+$/.test(value)) {
    throw new CommandRefusedError("ERR value is not an integer or out of range");
  }
}
