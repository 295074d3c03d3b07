// A Redis whose time is the run's, behind the Upstash protocol. On a real server it has a database of its own there,
// which it empties; no other is touched.

import { Redis } from "ioredis";
import { startUpstash } from "../../dev/upstash/start-upstash.ts";

export interface SoakRedis {
  readonly url: string;
  readonly token: string;
  empty(): Promise<void>;
  /** Lets so much time pass for everything that ends by itself. */
  age(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const TOKEN = "soak";

/** Redis servers have 16 databases by default, and most clients use the first. */
const DATABASE = 13;

const AGE = `for _, key in ipairs(redis.call('keys', '*')) do
  local left = redis.call('pttl', key)
  if left > 0 then redis.call('pexpire', key, math.max(0, left - tonumber(ARGV[1]))) end
end`;

/** The embedded one reads this process's Date, which the run sets. */
export async function startSoakRedis(serverUrl: string | undefined): Promise<SoakRedis> {
  if (serverUrl !== undefined) return startOnRealServer(serverUrl);
  const part = await startUpstash({ port: 0, token: TOKEN });
  return {
    url: part.url,
    token: TOKEN,
    empty: () => runCommand(part.url, "FLUSHALL"),
    age: async () => {},
    stop: part.stop,
  };
}

async function startOnRealServer(serverUrl: string): Promise<SoakRedis> {
  const url = new URL(serverUrl);
  url.pathname = `/${DATABASE}`;
  const part = await startUpstash({ port: 0, token: TOKEN, redisUrl: url.href });
  const redis = new Redis(url.href);
  const empty = async () => void (await redis.flushdb());
  return {
    url: part.url,
    token: TOKEN,
    empty,
    age: async (ms) => void (await redis.eval(AGE, 0, ms)),
    async stop() {
      await empty();
      redis.disconnect();
      await part.stop();
    },
  };
}

async function runCommand(url: string, ...command: string[]): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(command) });
  if (!response.ok) throw new Error(await response.text());
}
