// `npm run db:migrate`: applies pending migrations through drizzle-kit. First refuses a database in which another
// application has tables of the same names.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { getTableName, is } from "drizzle-orm";
import { isPgSequence, PgTable } from "drizzle-orm/pg-core";
import type pg from "pg";
import * as trailSchema from "../../src/adapters/postgres/schema/audit-tables.ts";
import * as platformSchema from "../../src/adapters/postgres/schema/platform-tables.ts";
import * as spendSchema from "../../src/adapters/postgres/schema/spend-tables.ts";
import * as schema from "../../src/adapters/postgres/schema/tables.ts";
import { defineCommand, readCommandLine } from "../command-line.ts";
import { CommandError, DATABASE_URL_HELP, runCommand, withDatabase } from "./connect.ts";
import { listMigrations } from "./migrations.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

readCommandLine(
  defineCommand({
    name: "npm run db:migrate --",
    description: "Applies every pending migration in one transaction.",
    environment: DATABASE_URL_HELP,
    exitCodes: {
      0: "every migration is applied",
      1: "a migration failed; nothing was changed",
      2: "the database cannot be reached or has foreign tables, or the arguments are invalid; nothing was changed",
    },
  }),
);

await runCommand(async () => {
  await withDatabase(refuseForeignTables);
  if ((await drizzleKitMigrate()) === 0) return 0;
  // drizzle-kit does not print the reason. It applies all pending migrations in one transaction.
  console.error("\ndrizzle-kit migrate failed and changed nothing; the reason is in the log of Postgres");
  return 1;
});

/** Before the first migration has run, a table or sequence with one of Bursar's names belongs to another program. */
async function refuseForeignTables(client: pg.Client): Promise<void> {
  const [first] = await listMigrations(client);
  if (first === undefined || first.state !== "pending") return;
  const { rows } = await client.query<{ name: string }>(
    "select name from unnest($1::text[]) as name where to_regclass('public.' || quote_ident(name)) is not null",
    [bursarNames()],
  );
  if (rows.length === 0) return;
  throw new CommandError(
    `this database already has ${rows.map(({ name }) => name).join(", ")}, not made by Bursar's migrations. ` +
      "Nothing was changed. Give Bursar a database of its own (DATABASE_URL).",
  );
}

function bursarNames(): string[] {
  return Object.values({ ...schema, ...spendSchema, ...platformSchema, ...trailSchema }).flatMap((item: unknown) => {
    if (is(item, PgTable)) return [getTableName(item)];
    return isPgSequence(item) && item.seqName !== undefined ? [item.seqName] : [];
  });
}

function drizzleKitMigrate(): Promise<number> {
  const drizzleKit = fileURLToPath(new URL("bin.cjs", import.meta.resolve("drizzle-kit")));
  const child = spawn(process.execPath, [drizzleKit, "migrate"], { cwd: root, stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
