// A real Postgres with our tables, reached as the Worker reaches it: Neon's driver over HTTP. Empty before each test.

import type pg from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { type Database, openDatabase } from "../../src/adapters/postgres/client.ts";
import { postgresTenants } from "../../src/adapters/postgres/tenants/tenants.ts";
import type { Tenants } from "../../src/ports/stores.ts";
import type { NewTenant, TenantRecord } from "../../src/records/tenant-record.ts";
import { aNewTenant, anActor } from "./builders.ts";
import { connect, migrate, type PostgresBackend } from "./postgres-backends.ts";

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

export interface AuditRow {
  at: Date;
  actor: string;
  action: string;
  request_id: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown>;
  detail: Record<string, unknown> | null;
}

async function startTenantDatabase(backend: PostgresBackend): Promise<TenantDatabase> {
  const postgres = await backend.start();
  const wire = await connect(postgres.databaseUrl);
  await migrate(wire);
  return {
    database: openDatabase({ url: postgres.databaseUrl, endpoint: postgres.neon.url, timeoutMs: 2_000 }),
    async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
      return (await wire.query<Row>(text, values)).rows;
    },
    async empty() {
      await wire.query("truncate tenant_configs, audit_log, platform_alerts cascade");
    },
    away: () => postgres.neon.setFault({ kind: "error", status: 500 }),
    back: () => postgres.neon.setFault(null),
    async stop() {
      await wire.end();
      await postgres.stop();
    },
  };
}

/**
 * Registers the hooks of a suite: its database starts before its tests, is empty before each, and stops after them.
 * What it returns can be used in tests and in hooks registered later.
 */
export function useTenantDatabase(backend: PostgresBackend): TenantDatabase {
  const db = {} as TenantDatabase; // filled before anything can use it
  let started: TenantDatabase | null = null;
  beforeAll(async () => {
    started = await startTenantDatabase(backend);
    Object.assign(db, started);
  });
  beforeEach(() => db.empty());
  afterAll(() => started?.stop());
  return db;
}

/** The same, with the Tenants port on it and a verb that creates a tenant or throws. */
export function useTenants(backend: PostgresBackend) {
  const db = useTenantDatabase(backend);
  const tenants: Tenants = postgresTenants(() => db.database());
  const create = async (differences: Partial<NewTenant> = {}): Promise<TenantRecord> => {
    const created = await tenants.create(aNewTenant(differences), anActor());
    if (!created.ok) throw new Error(created.failure);
    return created.value;
  };
  return { db, tenants, create };
}

/** Every line of the audit, in the order of its writing. */
export const auditLog = (db: TenantDatabase) => db.query<AuditRow>("select * from audit_log order by id");
