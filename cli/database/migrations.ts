// Compares the migrations of this tree with those that the database has recorded. Reads only. drizzle-kit owns the
// journal file and the bookkeeping table, and this file follows its conventions.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type pg from "pg";
import { z } from "zod";

/**
 * - `applied`, `pending`: applied to the database, or not yet
 * - `changed`: applied, but the file has changed since
 * - `unknown`: applied, but not in this tree
 */
export type MigrationState = "applied" | "pending" | "changed" | "unknown";

/** `madeAt`: when the migration was generated. drizzle-kit records that, not when it was applied. */
export type Migration = { tag: string; madeAt: Date; state: MigrationState };

const folder = new URL("../../migrations/", import.meta.url);
export const bookkeeping = `"drizzle"."__drizzle_migrations"`;

const journal = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) });

/** All migrations, in the order in which they are applied. */
export async function listMigrations(client: pg.Client): Promise<Migration[]> {
  const { entries } = journal.parse(JSON.parse(readFileSync(new URL("meta/_journal.json", folder), "utf8")));
  const hashOf = await appliedHashes(client);
  const known = entries.map(({ tag, when }): Migration => {
    const hash = hashOf.get(when);
    hashOf.delete(when);
    const state = hash === undefined ? "pending" : hash === fileHash(tag) ? "applied" : "changed";
    return { tag, madeAt: new Date(when), state };
  });
  const unknown = [...hashOf.keys()].map(
    (when): Migration => ({ tag: "(not in this tree)", madeAt: new Date(when), state: "unknown" }),
  );
  return [...known, ...unknown].sort((a, b) => a.madeAt.getTime() - b.madeAt.getTime());
}

/** The hand-written rollback of a migration, or null when there is none. */
export function readDown(tag: string): string | null {
  const file = new URL(`down/${tag}.sql`, folder);
  return existsSync(file) ? readFileSync(file, "utf8") : null;
}

/** False until drizzle-kit has migrated this database for the first time. */
export async function hasBookkeeping(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query("select 1 where to_regclass($1) is not null", [bookkeeping]);
  return rows.length === 1;
}

async function appliedHashes(client: pg.Client): Promise<Map<number, string>> {
  if (!(await hasBookkeeping(client))) return new Map();
  const { rows } = await client.query<{ created_at: string; hash: string }>(
    `select created_at, hash from ${bookkeeping} order by created_at`,
  );
  return new Map(rows.map((row) => [Number(row.created_at), row.hash]));
}

function fileHash(tag: string): string {
  return createHash("sha256")
    .update(readFileSync(new URL(`${tag}.sql`, folder), "utf8"))
    .digest("hex");
}
