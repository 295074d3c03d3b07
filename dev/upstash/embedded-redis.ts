// An in-process Redis on ioredis-mock: needs no installation and keeps nothing after the process ends.
// It is only as strict as the mock, which accepts a wrong number of arguments and a key of the wrong type.

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

/** Index of SET's first option. The mock accepts options in capitals only; Upstash's client sends `nx` and `ex`. */
const setOptionsFrom = 2;

type Method = (...args: string[]) => Promise<unknown>;

export function createEmbeddedRedis(): RedisStore {
  // All mock instances with the same host share their data, so each store needs a unique host.
  const redis = new RedisMock({ host: `embedded-${randomUUID()}` });
  let last: Promise<unknown> = Promise.resolve();

  /** Runs one piece of work at a time, so that no other command runs between those of a transaction. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };

  async function perform(command: Command): Promise<unknown> {
    const [name, ...rest] = command;
    const method = methodOf(redis, command);
    const args = /^set$/i.test(name) ? [...rest.slice(0, setOptionsFrom), ...setOptions(rest)] : rest;
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

/** The mock's commands are its enumerable methods; it also has private methods and plain fields, which are not. */
function methodOf(redis: object, command: Command): Method {
  refuseConnectionCommand(command);
  const [name] = command;
  const key = name.toLowerCase();
  const method: unknown = /^[a-z]+$/.test(key) ? Object.getOwnPropertyDescriptor(redis, key) : undefined;
  const { value, enumerable } = (method ?? {}) as PropertyDescriptor;
  if (typeof value !== "function" || enumerable !== true) throw notAvailable(name);
  return value as Method;
}

/** In the mock's spelling, the expiry first: it loses one that comes after GET. */
function setOptions(args: readonly string[]): string[] {
  const options = args.slice(setOptionsFrom).map((option) => option.toUpperCase());
  const at = options.findIndex((option) => /^(EX|PX)(AT)?$/.test(option));
  return at < 0 ? options : [...options.slice(at, at + 2), ...options.slice(0, at), ...options.slice(at + 2)];
}

/** Refuses to increment a value that is not an integer. The mock would turn it into NaN and store that. */
async function refuseTextAsNumber(redis: { get(key: string): Promise<string | null> }, key: string): Promise<void> {
  const value = await redis.get(key);
  if (value !== null && !/^-?\d+$/.test(value)) {
    throw new CommandRefusedError("ERR value is not an integer or out of range");
  }
}
