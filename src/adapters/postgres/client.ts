// The connection to Postgres: Drizzle over Neon's HTTP driver, with a timeout for each request. Decides which failure
// is an outage and which a bug. Knows no table. Never lets a parameter (encrypted keys are among them) into an error.

import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { DrizzleQueryError, type SQL } from "drizzle-orm";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { Outage } from "../../ports/outage.ts";

/**
 * Opens the connection on its first call and keeps it. Most checks never ask Postgres, and making the client costs more
 * than all the rest of such a check.
 */
export type Database = (patience?: Patience) => NeonHttpDatabase;

export interface Patience {
  /**
   * True for the last try, which decides whether a change is unknown: an administrator would rather wait than guess.
   */
  readonly isPatient: boolean;
}

/** A row of a statement in `sql`: numerics and bigints as text, JSON parsed, timestamps as text. */
export type Row = Readonly<Record<string, unknown>>;

export interface DatabaseOptions {
  readonly url: string;
  /** The server that speaks Neon's HTTP protocol under `/sql`; null for Neon itself. */
  readonly endpoint: string | null;
  /** For one statement or batch, from the first byte to the last. */
  readonly timeoutMs: number;
  /** The same for a patient one. */
  readonly patientTimeoutMs: number;
}

/**
 * SQLSTATE classes that say "not now": connection, a deadlock, resources, operator, system, and Neon's own control
 * plane. The victim of a deadlock has changed nothing and may be sent again.
 */
const OUTAGE_CLASSES = new Set(["08", "40", "53", "57", "58", "XX"]);

const UNIQUE_VIOLATION = "23505";

export function openDatabase(options: DatabaseOptions): Database {
  let usual: NeonHttpDatabase | null = null;
  let patient: NeonHttpDatabase | null = null;
  return (patience) => {
    if (patience?.isPatient === true) {
      patient ??= open(options, options.patientTimeoutMs);
      return patient;
    }
    usual ??= open(options, options.timeoutMs);
    return usual;
  };
}

/** The driver keeps its endpoint and its fetch for the whole isolate, so the last call decides for every database. */
function open({ url, endpoint }: DatabaseOptions, timeoutMs: number): NeonHttpDatabase {
  neonConfig.fetchFunction = (input: string, { timeoutMs: limitMs, ...init }: RequestInit & { timeoutMs: number }) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(limitMs) });
  if (endpoint !== null) neonConfig.fetchEndpoint = `${endpoint}/sql`;
  return drizzle(neon(url, { fetchOptions: { timeoutMs } }));
}

/**
 * Runs one query or one batch of Drizzle's. neon-http has no interactive transaction: a batch is one transaction and
 * one request.
 * @throws Outage when Postgres could not be asked; NeonDbError when it refused.
 */
export async function runQuery<T>(
  database: Database,
  query: (db: NeonHttpDatabase) => PromiseLike<T>,
  patience?: Patience,
): Promise<T> {
  // A query that cannot be built is a bug, so it throws before the `try`.
  const running = query(database(patience));
  try {
    return await running;
  } catch (error) {
    throw outageOrBug(error);
  }
}

/** Runs one statement in `sql`. @throws as `runQuery`. */
export async function runStatement(database: Database, statement: SQL): Promise<readonly Row[]> {
  const { rows } = await runQuery(database, (db) => db.execute(statement));
  return rows;
}

/** Runs statements in `sql` as one batch. @throws as `runQuery`. */
export async function runBatch<const T extends readonly [SQL, ...SQL[]]>(
  database: Database,
  [first, ...others]: T,
): Promise<{ [K in keyof T]: readonly Row[] }> {
  const results = await runQuery(database, (db) =>
    db.batch([db.execute(first), ...others.map((statement) => db.execute(statement))]),
  );
  // One result per statement, in order: `map` cannot say so in types.
  return results.map(({ rows }) => rows) as unknown as { [K in keyof T]: readonly Row[] };
}

/** The constraint that a unique violation broke; null for any other error. */
export function violatedUnique(error: unknown): string | null {
  return error instanceof NeonDbError && error.code === UNIQUE_VIOLATION ? (error.constraint ?? null) : null;
}

/** Drizzle's error holds the parameters of the statement, so only its cause goes on. Neon's error holds none. */
function outageOrBug(error: unknown): unknown {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (cause instanceof NeonDbError && cause.code !== undefined && !OUTAGE_CLASSES.has(cause.code.slice(0, 2))) {
    return cause;
  }
  return new Outage(
    "postgres",
    cause instanceof NeonDbError ? "cannot be reached" : "sent an unreadable answer",
    cause,
  );
}
