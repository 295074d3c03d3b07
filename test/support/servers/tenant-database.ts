// A real Postgres with Bursar's tables, through Neon's driver over HTTP as in the Worker. Empty before each test.

import type pg from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { LocalPostgres } from "../../../dev/postgres/start-postgres.ts";
import { type Database, openDatabase } from "../../../src/adapters/postgres/client.ts";
import { postgresLedgers } from "../../../src/adapters/postgres/tenants/ledgers.ts";
import { postgresTenants } from "../../../src/adapters/postgres/tenants/tenants.ts";
import type { Ledger } from "../../../src/budget/counting.ts";
import type { TenantConfig } from "../../../src/budget/tenant.ts";
import type { Tenants } from "../../../src/ports/stores.ts";
import type { NewTenant, TenantRecord } from "../../../src/records/tenant.ts";
import { aNewTenant, anActor } from "../builders/builders.ts";
import { connect, EMBEDDED, migrate, type PostgresBackend } from "./postgres-backends.ts";

export interface TenantDatabase {
  readonly database: Database;
  /** Queries Postgres without Neon's driver, to prepare and to inspect rows. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  empty(): Promise<void>;
  /** `away` makes Postgres fail, and `back` ends that. */
  away(): void;
  back(): void;
  /** Loses the next `times` answers to audited changes: Postgres makes them, and nobody hears of it. */
  losesAnswers(times: number): void;
  /** Makes the next audited change reach Postgres `delayMs` milliseconds late. */
  delaysChange(delayMs: number): void;
  /** The same database with another time-out for everything but look-ups. */
  withTimeout(timeoutMs: number): Database;
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

/** What only the statements of audited changes contain. */
const AUDITED = "insert into audit_log";

/** The embedded Postgres that the files of this process share, because starting and migrating one takes seconds. */
let shared: Promise<LocalPostgres> | null = null;

async function sharedPostgres(backend: PostgresBackend): Promise<LocalPostgres> {
  shared ??= startMigrated(backend);
  const postgres = await shared;
  const wire = await connect(postgres.databaseUrl);
  await resetTables(wire);
  await wire.end();
  // The shared Postgres ends with the process.
  return { ...postgres, stop: async () => postgres.neon.setFault(null) };
}

async function startMigrated(backend: PostgresBackend): Promise<LocalPostgres> {
  const postgres = await backend.start();
  const wire = await connect(postgres.databaseUrl);
  await migrate(wire);
  await wire.end();
  return postgres;
}

/** Restores the state after the migrations: no rows, and every sequence at its start. */
async function resetTables(wire: pg.Client): Promise<void> {
  await wire.query(`do $$
    declare each record;
    begin
      for each in select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public' loop
        execute 'truncate ' || each.name || ' restart identity cascade';
      end loop;
      for each in select format('%I.%I', schemaname, sequencename) as name from pg_sequences where schemaname = 'public' loop
        execute 'alter sequence ' || each.name || ' restart';
      end loop;
    end $$`);
}

async function startTenantDatabase(backend: PostgresBackend, isOwn: boolean): Promise<TenantDatabase> {
  const isShared = backend.name === EMBEDDED && !isOwn;
  const postgres = await (isShared ? sharedPostgres(backend) : startMigrated(backend));
  const wire = await connect(postgres.databaseUrl);
  const withTimeout = (timeoutMs: number) =>
    openDatabase({
      url: postgres.databaseUrl,
      endpoint: postgres.neon.url,
      timeoutMs,
      patientTimeoutMs: 30_000,
    });
  return {
    database: withTimeout(30_000),
    withTimeout,
    async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
      return (await wire.query<Row>(text, values)).rows;
    },
    async empty() {
      await wire.query("truncate tenant_configs, counted_calls, counted_webhooks, audit_log, platform_alerts cascade");
    },
    away: () => postgres.neon.setFault({ kind: "error", status: 500 }),
    back: () => postgres.neon.setFault(null),
    losesAnswers: (times) => postgres.neon.setFault({ kind: "lost", times, body: AUDITED }),
    delaysChange: (delayMs) => postgres.neon.setFault({ kind: "slow", delayMs, times: 1, body: AUDITED }),
    async stop() {
      await wire.end();
      await postgres.stop();
    },
  };
}

/**
 * Registers the hooks of a suite: its database starts before its tests, is empty before each, and stops after them.
 * Tests and hooks registered later can use the returned database. `isOwn`: no other file uses it afterwards, for tests
 * that change more than rows.
 */
export function useTenantDatabase(backend: PostgresBackend, { isOwn = false } = {}): TenantDatabase {
  const db = {} as TenantDatabase; // filled before anything can use it
  let started: TenantDatabase | null = null;
  beforeAll(async () => {
    started = await startTenantDatabase(backend, isOwn);
    Object.assign(db, started);
  });
  beforeEach(() => db.empty());
  afterAll(() => started?.stop());
  return db;
}

/** Like {@link useTenantDatabase}, with the ports, and a function that creates a tenant or throws. */
export function useTenants(backend: PostgresBackend, options: { isOwn?: boolean } = {}) {
  const db = useTenantDatabase(backend, options);
  const tenants: Tenants = postgresTenants(() => db.database());
  const create = async (differences: Partial<NewTenant> = {}): Promise<TenantRecord> => {
    const created = await tenants.create(aNewTenant(differences), anActor());
    if (!created.ok) throw new Error(created.failure);
    return created.value;
  };
  const ledgers = postgresLedgers(() => db.database());
  /** Saves the ledger over whatever the tenant has. Null when the tenant is gone, or has another subject. */
  const saveLedger = async ({ tenantId, subject }: TenantConfig, ledger: Ledger) => {
    const [open] = await ledgers.load([{ tenantId, subject, answeredAt: 0 }]);
    const [saved] = await ledgers.save([{ tenantId, subject, ledger, version: open?.version ?? 0 }]);
    return saved ?? null;
  };
  return { db, tenants, ledgers, create, saveLedger };
}

/** All lines of the audit, in the order in which they were written. */
export const auditLog = (db: TenantDatabase) => db.query<AuditRow>("select * from audit_log order by id");
