// The local stack's Redis behind Upstash's REST protocol: embedded, or a real server by its URL.
// Starts and stops it. Each embedded Redis starts empty and shares no data with another.

import { type Part, startPart } from "../part.ts";
import { createEmbeddedRedis } from "./embedded-redis.ts";
import { createRealRedis } from "./real-redis.ts";
import { upstashRest } from "./upstash-rest.ts";

/**
 * Stored data survives `stop` and `restart`.
 * @throws PortTakenError naming UPSTASH_PORT; ioredis' error when the server at `redisUrl` is unreachable.
 */
export async function startUpstash(options: { port: number; token: string; redisUrl?: string }): Promise<Part> {
  const store = options.redisUrl === undefined ? createEmbeddedRedis() : createRealRedis(options.redisUrl);
  try {
    await store.open();
    const part = await startPart({
      name: "Upstash REST",
      port: options.port,
      portVariable: "UPSTASH_PORT",
      handler: upstashRest(store, options.token),
    });
    return {
      ...part,
      async stop() {
        await part.stop();
        await store.close();
      },
      async restart() {
        await store.open();
        await part.restart();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
