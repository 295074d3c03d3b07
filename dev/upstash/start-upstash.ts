// The Redis of the local stack, on Upstash's REST protocol: embedded, or a real server by its URL.
// Owns starting and stopping. Every embedded one is empty at first and shares nothing with any other.

import { type Part, startPart } from "../part.ts";
import { createEmbeddedRedis } from "./embedded-redis.ts";
import { createRealRedis } from "./real-redis.ts";
import { upstashRest } from "./upstash-rest.ts";

/**
 * What is stored survives `stop` and `restart`.
 * @throws PortTakenError naming UPSTASH_PORT; ioredis' error when the server of `redisUrl` cannot be reached.
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
