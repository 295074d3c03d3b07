// A real Redis server behind the same face as the embedded one.
// Transactions are Redis' own. Never prints its URL: that may hold a password.

import { setTimeout } from "node:timers/promises";
import { Redis, ReplyError } from "ioredis";
import { type Command, CommandRefusedError, type RedisStore, refuseConnectionCommand } from "./redis-store.ts";

/** How long to try to connect. */
const connectTimeoutMs = 2_000;

/** While ioredis is one of these it refuses to connect. */
const BUSY = new Set(["connecting", "connect", "ready"]);

export function createRealRedis(redisUrl: string): RedisStore {
  const redis = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 1, connectTimeout: connectTimeoutMs });
  // Each command that fails says so itself; unheard, the event would be printed on every attempt to reconnect.
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
    // Disconnecting goes on after the call, and until the socket is gone nothing can be opened again.
    async close() {
      redis.disconnect();
      for (let looks = 0; BUSY.has(redis.status) && looks < 100; looks++) await setTimeout(5);
    },
  };
}

function refuse(error: unknown): never {
  if (error instanceof ReplyError) throw new CommandRefusedError((error as Error).message, { cause: error });
  throw error;
}
