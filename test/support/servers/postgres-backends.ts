// The Postgres server of the tests: the embedded one, or the real one at TEST_DATABASE_URL. On the real server each
// start creates its own database and drops it at the end, and touches no other database.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import pg from "pg";
import { type LocalPostgres, startPostgres } from "../../../dev/postgres/start-postgres.ts";

export interface PostgresBackend {
  readonly name: string;
  start(): Promise<LocalPostgres>;
}

export const EMBEDDED = "PGlite";

const testDatabaseUrl = process.env["TEST_DATABASE_URL"];

export const postgresBackends: readonly PostgresBackend[] = [
  testDatabaseUrl
    ? { name: "real Postgres", start: () => startOnRealServer(testDatabaseUrl) }
    : { name: EMBEDDED, start: () => startPostgres({ port: 0, neonPort: 0 }) },
];

export async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  return client;
}

const migrations = new URL("../../../migrations/", import.meta.url);

/** Creates all of Bursar's tables in an empty database. */
export async function migrate(client: pg.Client): Promise<void> {
  const { entries } = JSON.parse(readFileSync(new URL("meta/_journal.json", migrations), "utf8"));
  for (const { tag } of entries) await client.query(readFileSync(new URL(`${tag}.sql`, migrations), "utf8"));
}

/** Creates a new database on a real server. */
export async function createDatabase(serverUrl: string): Promise<{ databaseUrl: string; drop(): Promise<void> }> {
  const name = `bursar_test_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl, `create database ${name}`);
  const databaseUrl = new URL(serverUrl);
  databaseUrl.pathname = `/${name}`;
  return { databaseUrl: databaseUrl.href, drop: () => onServer(serverUrl, `drop database ${name} with (force)`) };
}

async function startOnRealServer(serverUrl: string): Promise<LocalPostgres> {
  const { databaseUrl, drop } = await createDatabase(serverUrl);
  const started = await startPostgres({ port: 0, neonPort: 0, databaseUrl });
  return {
    ...started,
    async stop() {
      await started.stop();
      await drop();
    },
  };
}

async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = await connect(serverUrl);
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
