// Migrations of a database that is in use. Only a real Postgres has several connections at once.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, it } from "vitest";
import { connect, EMBEDDED, postgresBackends } from "../support/servers/postgres-backends.ts";
import { migrateHere, tags, tree } from "./commands.ts";

const CHANGE = `with after as (update tenant_configs set name = 'x' where tenant_id = 'acme' returning tenant_id)
  insert into audit_log (actor, action, tenant_id) select 'dev', 'tenant_changed', tenant_id from after`;

const statementsOf = (tag: string) => {
  const text = readFileSync(join(tree, "migrations", `${tag}.sql`), "utf8");
  return text.split("--> statement-breakpoint");
};

it.skipIf(postgresBackends[0]?.name === EMBEDDED)(
  "0010 waits for no change that waits for it, so that it does not end in a deadlock after it has built its indexes",
  async () => {
    const postgres = await postgresBackends[0]?.start();
    if (postgres === undefined) throw new Error("no Postgres");
    const client = await connect(postgres.databaseUrl);
    const pool = new pg.Pool({ connectionString: postgres.databaseUrl, max: 3 });
    try {
      for (const tag of tags.filter((each) => each < "0010")) {
        for (const statement of statementsOf(tag)) await client.query(statement);
      }
      await client.query(`insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at)
        values ('acme', 'key', 'h', now())`);
      await client.query("begin");
      const changes: Promise<unknown>[] = [];
      for (const statement of statementsOf("0010_admin_api")) {
        await client.query(statement);
        // While the indexes of the audit are built.
        if (!statement.includes("idx_audit_log_at")) continue;
        changes.push(pool.query(CHANGE));
        await expect.poll(() => waiting(pool), { timeout: 20_000 }).toBe(1);
      }
      await client.query("commit");
      await Promise.all(changes);
      expect((await client.query("select name, metadata from tenant_configs")).rows).toEqual([
        { name: "x", metadata: {} },
      ]);
    } finally {
      await client.end();
      await pool.end();
      await postgres.stop();
    }
  },
);

it("rolling 0010 back leaves the extension that may have been there before", async () => {
  const postgres = await postgresBackends[0]?.start();
  if (postgres === undefined) throw new Error("no Postgres");
  const client = await connect(postgres.databaseUrl);
  try {
    await client.query("create extension pg_trgm");
    await migrateHere(client);
    await client.query(readFileSync(join(tree, "migrations/down/0010_admin_api.sql"), "utf8"));
    expect((await client.query("select extname from pg_extension order by 1")).rows).toEqual([
      { extname: "pg_trgm" },
      { extname: "plpgsql" },
    ]);
  } finally {
    await client.end();
    await postgres.stop();
  }
});

/** Not on the connection of the migration: a transaction sees the activity of its first look. */
async function waiting(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
  );
  return rows[0].n;
}
