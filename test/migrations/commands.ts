// Runs the migration commands as an operator does: each in a process of its own, on a copy of the tree if need be.

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const tree = fileURLToPath(new URL("../../", import.meta.url));

export type Outcome = { code: number; out: string; err: string };
export type Database = { DATABASE_URL?: string };

/** drizzle-kit itself, as `npx drizzle-kit migrate` would run it. */
export const drizzleKitMigrate = (database: Database, root = tree) =>
  run(["node_modules/drizzle-kit/bin.cjs", "migrate"], database, root);

export const command = (
  name: "status" | "migrate" | "rollback",
  database: Database,
  args: string[] = [],
  root = tree,
) => run([`dev/database/${name}.ts`, ...args], database, root);

/** A copy of what the commands use, to be changed at will. */
export async function copyTree(): Promise<{ root: string; remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "bursar-migrations-"));
  await mkdir(join(root, "src/adapters"), { recursive: true });
  for (const path of ["dev/database", "migrations", "src/adapters/schema.ts", "drizzle.config.ts", "package.json"]) {
    await cp(join(tree, path), join(root, path), { recursive: true });
  }
  await symlink(join(tree, "node_modules"), join(root, "node_modules"));
  return { root, remove: () => rm(root, { recursive: true }) };
}

function run(args: string[], database: Database, cwd: string): Promise<Outcome> {
  const { DATABASE_URL: _, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env: { ...inherited, ...database } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}
