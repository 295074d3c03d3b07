// The migrations on a database with some thousand rows in each table that grows: nothing is lost on the way down and up
// but what the migration says it deletes, and no row keeps a migration from being rolled back.

import type pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { fill } from "../plans/filled-database.ts";
import { postgresBackends } from "../support/servers/postgres-backends.ts";
import { command, type Database, migrateHere, rolledBack, tags } from "./commands.ts";
import { useServer } from "./use-server.ts";

const TENANTS = 1_000;

/** What the first migration makes. */
const KEPT = ["tenant_configs", "audit_log"];

describe.each(postgresBackends)("migrations of a filled database on $name", ({ start }) => {
  const server = useServer(start);
  let client: pg.Client;
  let database: Database;

  beforeAll(async () => {
    client = server.client();
    database = server.database();
    await migrateHere(client);
    await fill(client, TENANTS);
  });

  /** How many rows each table has, and a digest of all their columns by name, whatever their order. */
  async function contents(): Promise<Record<string, string>> {
    const { rows: tables } = await client.query<{ name: string }>(
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
    );
    const found: Record<string, string> = {};
    for (const { name } of tables) {
      const { rows } = await client.query<{ content: string }>(
        `select count(*) || ' rows, ' || coalesce(md5(string_agg(md5(to_jsonb(r)::text), '' order by md5(to_jsonb(r)::text))), '')
         as content from ${name} r`,
      );
      found[name] = rows[0]?.content ?? "";
    }
    return found;
  }

  const countOf = async (table: string) =>
    Number((await client.query<{ n: string }>(`select count(*) as n from ${table}`)).rows[0]?.n);

  async function rollBackOne(tag: string): Promise<void> {
    expect(await command("rollback", database, ["--yes"])).toMatchObject({ code: 0, out: rolledBack(database, tag) });
  }

  it("M3: the newest one, down and up: every row is as it was, but for deleted tenants and what the audit has counted", async () => {
    await client.query("delete from tenant_configs where deleted_at is not null; delete from counted_webhooks");
    // What the triggers keep has one row for each reason after the migration.
    const before = await contents();
    await rollBackOne(tags.at(-1) ?? "");
    await migrateHere(client);
    expect(await contents()).toEqual(before);
  });

  it("M3: each one in turn, down to the first and up again: every tenant and every line of the audit is there", async () => {
    const counts = async () =>
      Object.fromEntries(await Promise.all(KEPT.map(async (each) => [each, await countOf(each)])));
    const before = await counts();
    for (const tag of tags.slice(1).toReversed()) await rollBackOne(tag);
    expect(await counts()).toEqual(before);
    await migrateHere(client);
    expect(await counts()).toEqual(before);
    expect(await countOf("tenant_states")).toBe(before["tenant_configs"]);
  });
});
