// Makes a change of an administrator exactly once, although the answer to it may be lost. The line that the change
// writes to the audit carries the id of the request's operation, and that id is unique: the same change sent again
// either finds its line, or is the first to arrive and makes a late one fail. Only changes with a line belong here.

import { type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Instant } from "../../../budget/instant.ts";
import { Outage } from "../../../ports/outage.ts";
import { failure, type Result, success } from "../../../ports/result.ts";
import { type Database, runQuery, violatedUnique } from "../client.ts";
import { timestampOf } from "../instants.ts";
import type { CreationSource } from "./audit-insert.ts";

export interface Change<Found, T> {
  /** Run in order, in one transaction with `outcome`. */
  readonly statements: readonly [SQL, ...SQL[]];
  /** Reads what the operation has made, or what it left as it was. Read by itself after a lost answer. */
  readonly outcome: (db: NeonHttpDatabase) => BatchItem<"pg"> & PromiseLike<Found>;
  /** Null: nothing was made. */
  readonly read: (found: Found) => T | null;
}

/** An idempotency key stands for one request this long; `upstash-claims.ts` keeps answers as long. */
const KEY_LIFETIME = sql.raw("interval '24 hours'");

/** Null when there is nothing to change. @throws Outage with `isUnknown` when no answer came, even to a look-up. */
export async function makeChange<Found, T>(database: Database, change: Change<Found, T>): Promise<T | null> {
  const { outcome, read } = change;
  try {
    return read(await send(database, change));
  } catch (error) {
    if (violatedUnique(error) === null) throw error;
    return read(await runPatiently(database, outcome));
  }
}

const SOURCE_UNIQUE = "audit_log_source_unique";

/** Two requests may free an id at once; the second then finds what the first has created. */
const ROUNDS = 3;

/**
 * Like `makeChange`, for a request that may come again with its idempotency key, also when Redis has forgotten it:
 * finds what the first one created. The key is free again after 24 h, or when that no longer exists.
 */
export async function createOnce<Found, T>(
  database: Database,
  { sourceId, requestHash }: CreationSource,
  change: Change<Found, T>,
  now: Instant,
): Promise<Result<T | null, "other_body">> {
  const { outcome, read } = change;
  const selectLine = sql`select id, request_hash, at > ${timestampOf(now)} - ${KEY_LIFETIME} as is_recent
    from audit_log where source_id = ${sourceId}`;
  for (let round = 1; ; round++) {
    try {
      return success(read(await send(database, change)));
    } catch (error) {
      const violated = violatedUnique(error);
      if (violated === null || round === ROUNDS) throw error;
      const [{ rows }, found] = await runPatiently(database, (db) => db.batch([db.execute(selectLine), outcome(db)]));
      const [line] = rows;
      if (line === undefined && violated === SOURCE_UNIQUE) continue; // Freed meanwhile by the other request.
      if (line === undefined) throw error;
      const made = read(found as Found);
      if (made !== null && line["is_recent"] === true) {
        return line["request_hash"] === requestHash ? success(made) : failure("other_body");
      }
      // Committed before the change, which locks the tenant first: to free the id in the change's transaction would
      // lock the line first, and deadlock with a request that has the tenant and waits for this id.
      await runPatiently(database, (db) =>
        db.execute(sql`update audit_log set source_id = null where id = ${line["id"]} and source_id = ${sourceId}`),
      );
    }
  }
}

/** Sends the change, and once more when its answer is lost. */
async function send<Found, T>(database: Database, { statements, outcome }: Change<Found, T>): Promise<Found> {
  const batch = (db: NeonHttpDatabase) => {
    const [first, ...others] = statements;
    return db.batch([db.execute(first), ...others.map((statement) => db.execute(statement)), outcome(db)]);
  };
  const sent = await runQuery(database, batch).catch((error: unknown) => {
    if (!(error instanceof Outage)) throw error;
    return runPatiently(database, batch);
  });
  return sent.at(-1) as Found;
}

/** With the longer time-out. When this gets no answer either, the outcome is unknown. */
async function runPatiently<T>(database: Database, query: (db: NeonHttpDatabase) => PromiseLike<T>): Promise<T> {
  try {
    return await runQuery(database, query, { isPatient: true });
  } catch (error) {
    if (!(error instanceof Outage)) throw error;
    throw new Outage("postgres", "did not answer a change", error, { isUnknown: true });
  }
}
