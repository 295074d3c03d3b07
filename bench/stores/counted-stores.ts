// Postgres and Redis as the Worker reaches them. The servers themselves count, so a timed request takes no extra hop.

import pg from "pg";
import { type Part, startPart } from "../../dev/part.ts";
import { neonHttp } from "../../dev/postgres/neon-http.ts";
import type { Stack } from "../../dev/stack.ts";
import { createEmbeddedRedis } from "../../dev/upstash/embedded-redis.ts";
import { createRealRedis } from "../../dev/upstash/real-redis.ts";
import { upstashRest } from "../../dev/upstash/upstash-rest.ts";
import type { WorkerEnvironment } from "../../dev/worker/environment.ts";

/** The Postgres and Redis servers of a run. */
export interface Backend {
  readonly name: string;
  readonly stack: Stack;
  /** Null for the embedded one. */
  readonly redisUrl: string | null;
  /** How many concurrent sessions Postgres allows. PGlite has one. */
  readonly sessions: number;
}

export interface CountedStores {
  readonly environment: WorkerEnvironment;
  /** Requests since the start or since the previous call. Resets the counters. */
  take(): { readonly postgres: number; readonly redis: number };
  stop(): Promise<void>;
}

export async function startCountedStores({ stack, redisUrl, sessions }: Backend): Promise<CountedStores> {
  const { secrets, vars } = stack.environment;
  let counts = { postgres: 0, redis: 0 };
  const pool = new pg.Pool({ connectionString: stack.postgres.databaseUrl, max: sessions });
  const redis = redisUrl === null ? createEmbeddedRedis() : createRealRedis(redisUrl);
  await redis.open();
  const neon = await startCounted("postgres", neonHttp(pool), () => counts.postgres++);
  const rest = upstashRest(redis, secrets["UPSTASH_REDIS_REST_TOKEN"] ?? "");
  const upstash = await startCounted("redis", rest, () => counts.redis++);
  return {
    environment: {
      secrets: { ...secrets, UPSTASH_REDIS_REST_URL: upstash.url },
      vars: { ...vars, NEON_ENDPOINT: neon.url },
    },
    take() {
      const taken = counts;
      counts = { postgres: 0, redis: 0 };
      return taken;
    },
    async stop() {
      await neon.stop();
      await upstash.stop();
      await pool.end();
      await redis.close();
    },
  };
}

type Handler = (request: Request) => Response | Promise<Response>;

function startCounted(name: string, handler: Handler, count: () => void): Promise<Part> {
  return startPart({
    name: `counted ${name}`,
    port: 0,
    portVariable: "none",
    handler(request) {
      count();
      return handler(request);
    },
  });
}
