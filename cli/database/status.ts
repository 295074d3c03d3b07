// `npm run db:status [-- --json]`: which migrations the database has.
// Changes nothing. Exit 0 when the database is exactly where this tree is, 1 when it is not, 2 when it cannot be asked.

import { runCommand, withDatabase } from "./connect.ts";
import { listMigrations } from "./migrations.ts";

await runCommand(async () => {
  const migrations = await withDatabase(listMigrations);
  if (process.argv.includes("--json")) {
    const rows = migrations.map(({ tag, state, madeAt }) => ({ tag, state, made_at: madeAt.toISOString() }));
    console.log(JSON.stringify(rows, null, 2));
  } else {
    for (const { tag, state, madeAt } of migrations) {
      console.log(`${state.padEnd(8)} ${tag}  (made ${madeAt.toISOString()})`);
    }
  }
  return migrations.every(({ state }) => state === "applied") ? 0 : 1;
});
