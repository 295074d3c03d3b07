// `npm run db:status`: lists which migrations are applied. Changes nothing.

import { defineCommand, readCommandLine } from "../command-line.ts";
import { DATABASE_URL_HELP, runCommand, withDatabase } from "./connect.ts";
import { listMigrations } from "./migrations.ts";

const { options } = readCommandLine(
  defineCommand({
    name: "npm run db:status --",
    description:
      "Lists the migrations of this tree and of the database, and which of them are applied. Changes nothing.",
    environment: DATABASE_URL_HELP,
    exitCodes: {
      0: "every migration of this tree is applied, and no other",
      1: "a migration is pending, changed or unknown",
      2: "the database cannot be read, or the arguments are invalid",
    },
  }).option("--json", "print the list as JSON"),
);

await runCommand(async () => {
  const migrations = await withDatabase(listMigrations);
  if (options.json) {
    const rows = migrations.map(({ tag, state, madeAt }) => ({ tag, state, made_at: madeAt.toISOString() }));
    console.log(JSON.stringify(rows, null, 2));
  } else {
    for (const { tag, state, madeAt } of migrations) {
      console.log(`${state.padEnd(8)} ${tag}  (made ${madeAt.toISOString()})`);
    }
  }
  return migrations.every(({ state }) => state === "applied") ? 0 : 1;
});
