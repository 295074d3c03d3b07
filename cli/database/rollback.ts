// `npm run db:rollback [-- --all]`: takes the last migration (or all) down, by the hand-written files in migrations/down.
// Asks nothing. What the tables held is lost. One transaction with drizzle-kit's bookkeeping: all of it or nothing.

import type pg from "pg";
import { CommandError, runCommand, withDatabase } from "./connect.ts";
import { bookkeeping, hasBookkeeping, listMigrations, type Migration, readDown } from "./migrations.ts";

await runCommand(async () => {
  const all = process.argv.includes("--all");
  const tags = await withDatabase((client) => inTransaction(client, () => rollBack(client, all)));
  for (const tag of tags) console.log(`rolled back ${tag}`);
  if (tags.length === 0) console.log("nothing to roll back: no migration is applied");
  return 0;
});

/** The tags taken down, last applied first. */
async function rollBack(client: pg.Client, all: boolean): Promise<string[]> {
  if (!(await hasBookkeeping(client))) return [];
  // A migrate or another rollback at the same time waits here, and then finds the bookkeeping as it has become.
  await client.query(`lock table ${bookkeeping} in access exclusive mode`);
  const applied = (await listMigrations(client)).filter(({ state }) => state !== "pending").reverse();
  const chosen = all ? applied : applied.slice(0, 1);
  for (const migration of chosen) await takeDown(client, migration);
  return chosen.map(({ tag }) => tag);
}

async function takeDown(client: pg.Client, { tag, madeAt, state }: Migration): Promise<void> {
  if (state === "unknown") {
    throw new CommandError(
      "an applied migration is not in this tree: roll back with the release that made it; nothing was changed",
    );
  }
  const down = readDown(tag);
  if (down === null) throw new CommandError(`there is no migrations/down/${tag}.sql; nothing was changed`);
  await client.query(down);
  await client.query(`delete from ${bookkeeping} where created_at = $1`, [madeAt.getTime()]);
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
