// A Redis with the run's virtual time, behind the Upstash protocol. On a real server it uses and empties one database
// of its own, and touches no other.

import { Redis } from "ioredis";
import { startUpstash } from "../../dev/upstash/start-upstash.ts";

export interface SoakRedis {
  readonly url: string;
  readonly token: string;
  empty(): Promise<void>;
  /** Advances the time by which keys expire. */
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

/** The embedded Redis reads this process's Date, which the run sets. */
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
