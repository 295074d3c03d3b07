// The way to Postgres: Drizzle over Neon's HTTP driver, bounded in time. Owns which failure is an outage and which a bug.
// Knows no table. Never lets a statement's parameters (sealed keys among them) into an error.

import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { DrizzleQueryError, type SQL } from "drizzle-orm";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { Outage } from "../outage.ts";

/**
 * Opens the way on its first call and keeps it. Most checks never ask Postgres, and making the client and Drizzle
 * costs more than all the rest of such a check.
 */
export type Database = () => NeonHttpDatabase;

/** A row as the driver gives it: numerics and bigints as text, json parsed. */
export type Row = Readonly<Record<string, unknown>>;

export interface DatabaseOptions {
  readonly url: string;
  /** The server that speaks Neon's HTTP protocol under `/sql`; null for Neon itself. */
  readonly endpoint: string | null;
  /** For one statement or batch, from the first byte to the last. */
  readonly timeoutMs: number;
}

/** SQLSTATE classes that say "not now": connection, resources, operator, system, and Neon's own control plane. */
const OUTAGE_CLASSES = new Set(["08", "53", "57", "58", "XX"]);

const UNIQUE_VIOLATION = "23505";

export function openDatabase(options: DatabaseOptions): Database {
  let opened: NeonHttpDatabase | null = null;
  return () => {
    opened ??= open(options);
    return opened;
  };
}

/** The driver takes its endpoint and its fetch for the whole isolate, so the last call decides for every database. */
function open({ url, endpoint, timeoutMs }: DatabaseOptions): NeonHttpDatabase {
  neonConfig.fetchFunction = (input: string, init: RequestInit) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) });
  if (endpoint !== null) neonConfig.fetchEndpoint = `${endpoint}/sql`;
  return drizzle({ client: neon(url) });
}

/** Runs one statement. @throws Outage when Postgres could not be asked; NeonDbError when it refused. */
export async function runStatement(database: Database, statement: SQL): Promise<readonly Row[]> {
  try {
    const { rows } = await database().execute(statement);
    return rows;
  } catch (error) {
    throw withoutParameters(error);
  }
}

/** Runs statements in one transaction and one request. @throws as `runStatement`. */
export async function runBatch<const T extends readonly [SQL, ...SQL[]]>(
  database: Database,
  statements: T,
): Promise<{ [K in keyof T]: readonly Row[] }> {
  const [first, ...rest] = statements;
  try {
    const way = database();
    const results = await way.batch([way.execute(first), ...rest.map((each) => way.execute(each))]);
    // One result per statement, in order: `map` cannot say so in types.
    return results.map(({ rows }) => rows) as { [K in keyof T]: readonly Row[] };
  } catch (error) {
    throw withoutParameters(error);
  }
}

/** The constraint that a unique violation broke; null for any other error. */
export function violatedUnique(error: unknown): string | null {
  return error instanceof NeonDbError && error.code === UNIQUE_VIOLATION ? (error.constraint ?? null) : null;
}

/** Drizzle's error prints every parameter, so only what the driver said beneath it goes on. */
function withoutParameters(error: unknown): unknown {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (cause instanceof NeonDbError && cause.code !== undefined && !OUTAGE_CLASSES.has(cause.code.slice(0, 2))) {
    return cause;
  }
  return new Outage("postgres", cause instanceof NeonDbError ? "cannot be reached" : "answered nonsense", cause);
}
