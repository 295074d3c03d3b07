// Real Postgres and Redis for a case: servers that already run, or servers installed on this machine, which this file
// starts and stops.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { ServiceMissingError } from "../../dev/services/process.ts";
import { startRealPostgres } from "../../dev/services/real-postgres.ts";
import { startRealRedis } from "../../dev/services/real-redis.ts";
import { settingsFromEnv } from "../../dev/settings.ts";
import { startStack } from "../../dev/stack.ts";
import { ANY_PORTS } from "../ports.ts";
import type { Backend } from "./counted-stores.ts";

/** Enough for every concurrent consumer of the spend queue. */
const SESSIONS = 10;

export interface RunningBackend extends Backend {
  stop(): Promise<void>;
}

/** Prints why and returns null when there is no Postgres server. Uses embedded Redis when there is no Redis server. */
export async function startRealBackend(): Promise<RunningBackend | null> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.toReversed()) await each();
  };
  try {
    const databaseUrl = await emptyDatabase(stops);
    const redisUrl = await realRedis(stops);
    const settings = { ...settingsFromEnv(ANY_PORTS), databaseUrl, redisUrl };
    const stack = await startStack(settings);
    stops.push(() => stack.stop());
    const name = redisUrl === null ? "real Postgres, embedded Redis" : "real Postgres and Redis";
    return { name, stack, redisUrl, sessions: SESSIONS, stop };
  } catch (error) {
    await stop();
    if (!(error instanceof ServiceMissingError)) throw error;
    console.log(`not measured with a real Postgres: ${error.message}`);
    return null;
  }
}

/** A new database on the server of TEST_DATABASE_URL, or on a server started for this run. */
async function emptyDatabase(stops: (() => Promise<void>)[]): Promise<string> {
  const given = process.env["TEST_DATABASE_URL"];
  if (!given) {
    const service = await startRealPostgres();
    stops.push(() => service.stop());
    return service.url;
  }
  const name = `bursar_bench_${randomUUID().replaceAll("-", "")}`;
  await execute(given, `create database ${name}`);
  stops.push(() => execute(given, `drop database ${name} with (force)`));
  const url = new URL(given);
  url.pathname = name;
  return url.href;
}

async function realRedis(stops: (() => Promise<void>)[]): Promise<string | null> {
  const given = process.env["TEST_REDIS_URL"];
  if (given) return given;
  try {
    const service = await startRealRedis();
    stops.push(() => service.stop());
    return service.url;
  } catch (error) {
    if (!(error instanceof ServiceMissingError)) throw error;
    console.log(`not measured with a real Redis: ${error.message}`);
    return null;
  }
}

async function execute(databaseUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
