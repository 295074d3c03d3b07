// Runs the migration commands as an operator does: each in a new process, on a copy of the tree where a test needs one.

import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import type pg from "pg";

export const tree = fileURLToPath(new URL("../../", import.meta.url));

/** Every migration of the tree, in order. From the files, not from the journal that the commands read. */
export const tags: readonly string[] = readdirSync(join(tree, "migrations"))
  .filter((file) => file.endsWith(".sql"))
  .map((file) => file.slice(0, -".sql".length))
  .sort();

/** The output of `db:rollback` for these migrations, in this order. */
export function rolledBack({ DATABASE_URL = "" }: Database, ...down: string[]): string {
  const { host, pathname } = new URL(DATABASE_URL);
  const plan = `Database: ${host}${pathname}\nTo roll back, with all data in it: ${down.join(", ")}\n`;
  return plan + down.map((tag) => `rolled back ${tag}\n`).join("");
}

export type Outcome = { code: number; out: string; err: string };
export type Database = { DATABASE_URL?: string };

/** Runs drizzle-kit as `npx drizzle-kit migrate` does. */
export const drizzleKitMigrate = (database: Database, root = tree) =>
  run(["node_modules/drizzle-kit/bin.cjs", "migrate"], database, root);

/** Applies the migrations of `root` in this process with drizzle-kit's library. Much faster, to prepare a test. */
export const migrateHere = (client: pg.Client, root = tree) =>
  migrate(drizzle(client), { migrationsFolder: join(root, "migrations") });

export const command = (
  name: "status" | "migrate" | "rollback",
  database: Database,
  args: string[] = [],
  root = tree,
) => run([`cli/database/${name}.ts`, ...args], database, root);

const USED = ["cli", "migrations", "src/adapters/postgres/schema", "drizzle.config.ts", "package.json"];

/** A copy of the files that the commands use, which a test may change. */
export async function copyTree(): Promise<{ root: string; remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "bursar-migrations-"));
  for (const path of USED) {
    await cp(join(tree, path), join(root, path), { recursive: true });
  }
  await symlink(join(tree, "node_modules"), join(root, "node_modules"));
  return { root, remove: () => rm(root, { recursive: true }) };
}

interface JournalEntry {
  readonly idx: number;
  readonly when: number;
  readonly tag: string;
}

/** Rewrites the list of migrations in the journal of a copied tree. */
export async function editJournal(root: string, edit: (entries: JournalEntry[]) => JournalEntry[]): Promise<void> {
  const file = join(root, "migrations/meta/_journal.json");
  const journal = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ ...journal, entries: edit(journal.entries) }));
}

function run(args: string[], database: Database, cwd: string): Promise<Outcome> {
  const { DATABASE_URL: _, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env: { ...inherited, ...database } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}
