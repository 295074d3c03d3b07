// A real Postgres with our tables, reached as the Worker reaches it: Neon's driver over HTTP. Empty before each test.

import { readFileSync } from "node:fs";
import type pg from "pg";
import { type Database, openDatabase } from "../../src/adapters/neon-client.ts";
import { connect, type PostgresBackend } from "./postgres-backends.ts";

export interface TenantDatabase {
  readonly database: Database;
  /** Past the driver, for arranging and for looking. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  empty(): Promise<void>;
  /** Postgres is away, and back again. */
  away(): void;
  back(): void;
  stop(): Promise<void>;
}

const migrations = new URL("../../migrations/", import.meta.url);

export async function startTenantDatabase(backend: PostgresBackend): Promise<TenantDatabase> {
  const postgres = await backend.start();
  const wire = await connect(postgres.databaseUrl);
  const { entries } = JSON.parse(readFileSync(new URL("meta/_journal.json", migrations), "utf8"));
  for (const { tag } of entries) await wire.query(readFileSync(new URL(`${tag}.sql`, migrations), "utf8"));
  return {
    database: openDatabase({ url: postgres.databaseUrl, endpoint: postgres.neon.url, timeoutMs: 2_000 }),
    async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
      return (await wire.query<Row>(text, values)).rows;
    },
    async empty() {
      await wire.query("truncate tenant_configs, audit_log cascade");
    },
    away: () => postgres.neon.setFault({ kind: "error", status: 500 }),
    back: () => postgres.neon.setFault(null),
    async stop() {
      await wire.end();
      await postgres.stop();
    },
  };
}
