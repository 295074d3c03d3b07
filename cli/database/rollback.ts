// `npm run db:rollback`: rolls back the last migration, or all, with the hand-written files in migrations/down. That
// deletes the data of their tables, so it asks for confirmation first. The rollback and drizzle-kit's bookkeeping are
// one transaction.

import type pg from "pg";
import { defineCommand, readCommandLine } from "../command-line.ts";
import { confirmRollback } from "./confirm-rollback.ts";
import { CommandError, DATABASE_URL_HELP, databasePlace, runCommand, withDatabase } from "./connect.ts";
import { bookkeeping, hasBookkeeping, listMigrations, type Migration, readDown } from "./migrations.ts";

const { options } = readCommandLine(
  defineCommand({
    name: "npm run db:rollback --",
    description:
      "Rolls back the last applied migration in one transaction, and deletes the data in its tables and columns. " +
      "Shows the database and the migration, and asks for confirmation.",
    environment: DATABASE_URL_HELP,
    exitCodes: {
      0: "rolled back, or no migration was applied",
      1: "not confirmed; nothing was changed",
      2: "the database cannot be reached or returned an error, or the arguments are invalid; nothing was changed",
    },
  })
    .option("--all", "roll back every applied migration, which drops every table")
    .option("--yes", "do not ask for confirmation"),
);

await runCommand(async () => {
  const isAll = options.all === true;
  const planned = (await withDatabase((client) => chooseMigrations(client, isAll))).map(({ tag }) => tag);
  if (planned.length === 0) {
    console.log("nothing to roll back: no migration is applied");
    return 0;
  }
  console.log(`Database: ${databasePlace()}`);
  console.log(`To roll back, with all data in it: ${planned.join(", ")}`);
  if (options.yes !== true) await confirmRollback(process.stdin, process.stdout);
  await withDatabase((client) => inTransaction(client, () => rollBack(client, isAll, planned)));
  for (const tag of planned) console.log(`rolled back ${tag}`);
  return 0;
});

/** The migrations to roll back, last applied first. @throws CommandError when one cannot be rolled back. */
async function chooseMigrations(client: pg.Client, isAll: boolean): Promise<(Migration & { readonly down: string })[]> {
  const applied = (await listMigrations(client)).filter(({ state }) => state !== "pending").reverse();
  return (isAll ? applied : applied.slice(0, 1)).map((migration) => ({ ...migration, down: downOf(migration) }));
}

function downOf({ tag, state }: Migration): string {
  if (state === "unknown") {
    throw new CommandError(
      "an applied migration is not in this tree: roll back with the release that made it; nothing was changed",
    );
  }
  const down = readDown(tag);
  if (down === null) throw new CommandError(`there is no migrations/down/${tag}.sql; nothing was changed`);
  return down;
}

/** @throws CommandError when the applied migrations are no longer those that the operator confirmed. */
async function rollBack(client: pg.Client, isAll: boolean, planned: readonly string[]): Promise<void> {
  // A concurrent migrate or rollback waits for this lock, and then reads the bookkeeping that this rollback wrote.
  if (await hasBookkeeping(client)) await client.query(`lock table ${bookkeeping} in access exclusive mode`);
  const chosen = await chooseMigrations(client, isAll);
  if (chosen.map(({ tag }) => tag).join() !== planned.join()) {
    throw new CommandError("the applied migrations changed meanwhile; nothing was changed. Run it again.");
  }
  for (const { down, madeAt } of chosen) {
    await client.query(down);
    await client.query(`delete from ${bookkeeping} where created_at = $1`, [madeAt.getTime()]);
  }
}

async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query("begin");
  try {
    const result = await work();
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}
