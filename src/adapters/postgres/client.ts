// The way to Postgres: statements of Drizzle's `sql` over Neon's HTTP driver, bounded in time. Owns which failure is an
// outage and which a bug. Knows no table. Never lets a statement's parameters (sealed keys among them) into an error.

import { NeonDbError, type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import type { SQL } from "drizzle-orm";
import { CasingCache } from "drizzle-orm/casing";
import { Outage } from "../../ports/outage.ts";

/**
 * Opens the way on its first call and keeps it. Most checks never ask Postgres, and making the client costs more than
 * all the rest of such a check.
 */
export type Database = () => NeonQueryFunction<false, true>;

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
  let opened: ReturnType<Database> | null = null;
  return () => {
    opened ??= open(options);
    return opened;
  };
}

/** The driver takes its endpoint and its fetch for the whole isolate, so the last call decides for every database. */
function open({ url, endpoint, timeoutMs }: DatabaseOptions): ReturnType<Database> {
  neonConfig.fetchFunction = (input: string, init: RequestInit) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) });
  if (endpoint !== null) neonConfig.fetchEndpoint = `${endpoint}/sql`;
  return neon(url, { arrayMode: false, fullResults: true });
}

/** Drizzle's own session would bring its query builders, which nothing here uses: an eighth of the whole Worker. */
function textOf(statement: SQL): { text: string; parameters: unknown[] } {
  const { sql: text, params: parameters } = statement.toQuery({
    casing: new CasingCache(),
    escapeName: (name) => `"${name.replaceAll('"', '""')}"`,
    escapeParam: (index) => `$${index + 1}`,
    escapeString: (literal) => `'${literal.replaceAll("'", "''")}'`,
  });
  return { text, parameters };
}

/** Runs one statement. @throws Outage when Postgres could not be asked; NeonDbError when it refused. */
export async function runStatement(database: Database, statement: SQL): Promise<readonly Row[]> {
  try {
    const { text, parameters } = textOf(statement);
    const { rows } = await database().query(text, parameters);
    return rows;
  } catch (error) {
    throw outageOrBug(error);
  }
}

/** Runs statements in one transaction and one request. @throws as `runStatement`. */
export async function runBatch<const T extends readonly [SQL, ...SQL[]]>(
  database: Database,
  statements: T,
): Promise<{ [K in keyof T]: readonly Row[] }> {
  try {
    const way = database();
    const queries = statements.map(textOf).map(({ text, parameters }) => way.query(text, parameters));
    const results = await way.transaction(queries);
    // One result per statement, in order: `map` cannot say so in types.
    return results.map(({ rows }) => rows) as { [K in keyof T]: readonly Row[] };
  } catch (error) {
    throw outageOrBug(error);
  }
}

/** The constraint that a unique violation broke; null for any other error. */
export function violatedUnique(error: unknown): string | null {
  return error instanceof NeonDbError && error.code === UNIQUE_VIOLATION ? (error.constraint ?? null) : null;
}

/** The driver's errors name the statement's trouble, and no parameter. */
function outageOrBug(cause: unknown): unknown {
  if (cause instanceof NeonDbError && cause.code !== undefined && !OUTAGE_CLASSES.has(cause.code.slice(0, 2))) {
    return cause;
  }
  return new Outage("postgres", cause instanceof NeonDbError ? "cannot be reached" : "answered nonsense", cause);
}
