// A real Redis server behind the same interface as the embedded one, with Redis' own transactions.
// Never prints its URL, which may contain a password.

import { setTimeout } from "node:timers/promises";
import { Redis, ReplyError } from "ioredis";
import { type Command, CommandRefusedError, type RedisStore, refuseConnectionCommand } from "./redis-store.ts";

const connectTimeoutMs = 2_000;

/** ioredis refuses to connect while its status is one of these. */
const BUSY = new Set(["connecting", "connect", "ready"]);

export function createRealRedis(redisUrl: string): RedisStore {
  const redis = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 1, connectTimeout: connectTimeoutMs });
  // Each failing command reports its own error. Without a listener ioredis prints one on every attempt to reconnect.
  redis.on("error", () => {});

  return {
    async run(command) {
      refuseConnectionCommand(command);
      const [name, ...args] = command;
      return redis.call(name, ...args).catch(refuse);
    },
    async runTogether(commands: readonly Command[]) {
      for (const command of commands) refuseConnectionCommand(command);
      const transaction = redis.multi();
      for (const [name, ...args] of commands) transaction.call(name, ...args);
      const replies = (await transaction.exec().catch(refuse)) ?? [];
      return replies.map(([error, result]) => (error === null ? { result } : { error: error.message }));
    },
    open: () => redis.connect(),
    // disconnect() returns before the socket is closed, and the client cannot reconnect until then.
    async close() {
      redis.disconnect();
      for (let polls = 0; BUSY.has(redis.status) && polls < 100; polls++) await setTimeout(5);
    },
  };
}

function refuse(error: unknown): never {
  if (error instanceof ReplyError) throw new CommandRefusedError((error as Error).message, { cause: error });
  throw error;
}
