// The operator's migration commands: their output, their exit codes, and that a refusal changes nothing.

import { appendFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { postgresBackends } from "../support/servers/postgres-backends.ts";
import {
  command,
  copyTree,
  type Database,
  drizzleKitMigrate,
  editJournal,
  migrateHere,
  rolledBack,
  tags,
  tree,
} from "./commands.ts";
import { introspect } from "./introspect.ts";
import { useServer } from "./use-server.ts";

it("every migration has a down migration", async () => {
  expect(tags.length).toBeGreaterThan(1);
  expect((await readdir(join(tree, "migrations/down"))).sort()).toEqual(tags.map((tag) => `${tag}.sql`));
});

describe.each(["status", "migrate", "rollback"] as const)("db:%s without a database", (name) => {
  it.each([
    ["is not set", {}, "DATABASE_URL is not set"],
    ["is no URL of Postgres", { DATABASE_URL: "secret@nowhere" }, "DATABASE_URL is not a postgres:// URL"],
    [
      "leads nowhere",
      { DATABASE_URL: "postgres://u:secret@127.0.0.1:1/x" },
      "cannot reach the database at 127.0.0.1:1/x",
    ],
  ])("says so when DATABASE_URL %s, without the password", async (_, database, message) => {
    const { code, out, err } = await command(name, database);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
    expect(err).not.toMatch(/secret|\n\s+at /);
  });
});

describe.each(postgresBackends)("database commands on $name", ({ start }) => {
  const server = useServer(start);
  let client: pg.Client;
  let database: Database;

  beforeAll(async () => {
    client = server.client();
    database = server.database();
  });

  beforeEach(async () => {
    await client.query("drop schema public cascade; drop schema if exists drizzle cascade; create schema public");
  });

  it("status lists pending migrations and exits 1, and after migrating the applied ones and exits 0", async () => {
    const before = await command("status", database);
    expect(before).toMatchObject({ code: 1, err: "" });
    expect(before.out.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "…")).toBe(
      tags.map((tag) => `pending  ${tag}  (made …)\n`).join(""),
    );

    expect((await command("migrate", database)).code).toBe(0);
    const after = await command("status", database, ["--json"]);
    expect(after.code).toBe(0);
    expect(JSON.parse(after.out)).toEqual(tags.map((tag) => ({ tag, state: "applied", made_at: expect.any(String) })));
  });

  it("migrating twice changes nothing the second time", async () => {
    await migrateHere(client);
    const once = await introspect(client);
    expect((await command("migrate", database)).code).toBe(0);
    expect(await introspect(client)).toEqual(once);
  });

  it.each([
    ["tenant_configs", "create table tenant_configs (id int)"],
    ["audit_log", "create view audit_log as select 1 as n"],
    ["config_revision", "create sequence config_revision"],
  ])(
    "refuses a foreign %s by name, through db:migrate as through drizzle-kit, and changes nothing",
    async (name, made) => {
      await client.query(made);
      const before = await introspect(client);
      const refused = await command("migrate", database);
      expect(refused).toMatchObject({ code: 2, out: "" });
      expect(refused.err).toContain(`this database already has ${name}, not made by Bursar's migrations`);
      expect((await client.query("select to_regclass('drizzle.__drizzle_migrations') as table")).rows).toEqual([
        { table: null },
      ]);

      expect((await drizzleKitMigrate(database)).code).toBe(1);
      expect(await introspect(client)).toEqual(before);
    },
  );

  it("rolling back says that nothing is applied, before the first migration and after the last", async () => {
    const nothing = { code: 0, out: "nothing to roll back: no migration is applied\n", err: "" };
    expect(await command("rollback", database)).toEqual(nothing);
    await migrateHere(client);
    for (const tag of tags.toReversed()) {
      const rollback = await command("rollback", database, ["--yes"]);
      expect(rollback).toEqual({ code: 0, out: rolledBack(database, tag), err: "" });
    }
    expect(await command("rollback", database)).toEqual(nothing);
  });

  it("rolling back without a terminal needs --yes, shows what it would do and changes nothing", async () => {
    await command("migrate", database);
    const { code, out, err } = await command("rollback", database);
    expect({ code, err }).toEqual({
      code: 1,
      err: "there is no terminal to ask for confirmation: pass --yes; nothing was changed\n",
    });
    expect(`${out}rolled back ${tags.at(-1)}\n`).toBe(rolledBack(database, tags.at(-1) ?? ""));
    expect((await command("status", database)).code).toBe(0);
  });

  it.each([["--help"], ["--yes", "-h"], ["--yes", "--al"], ["--yes", "0000_budgets"]])(
    "rolling back with %s %s never touches the database",
    async (...args) => {
      await command("migrate", database);
      const { code, out } = await command("rollback", database, args);
      expect(code).toBe(args.some((arg) => arg === "--help" || arg === "-h") ? 0 : 2);
      expect(out).not.toContain("Database:");
      expect((await command("status", database)).code).toBe(0);
    },
  );

  it("rolling back stops at a foreign object that depends on our tables", async () => {
    await migrateHere(client);
    await client.query("create view report as select tenant_id from tenant_configs");
    const before = await introspect(client);
    const refused = await command("rollback", database, ["--all", "--yes"]);
    expect(refused).toMatchObject({ code: 2, out: expect.not.stringContaining("rolled back") });
    expect(refused.err).toContain("cannot drop table tenant_configs");
    expect(await introspect(client)).toEqual(before);
    expect((await command("status", database)).code).toBe(0);
  });

  describe("in a tree with one more migration", () => {
    let copy: Awaited<ReturnType<typeof copyTree>>;
    const inCopy = (name: "status" | "migrate" | "rollback", ...args: string[]) =>
      command(name, database, args, copy.root);

    beforeEach(async () => {
      copy = await copyTree();
      await addMigration(copy.root);
      await migrateHere(client, copy.root);
    });
    afterEach(() => copy.remove());

    it("rolls back only the last migration, and all of them with --all", async () => {
      expect((await inCopy("rollback", "--yes")).out).toBe(rolledBack(database, "9999_next"));
      const states = (await inCopy("status")).out.split("\n").map((line) => line.split(" ")[0]);
      expect(states).toEqual([...tags.map(() => "applied"), "pending", ""]);
      await migrateHere(client, copy.root);
      const everything = await inCopy("rollback", "--all", "--yes");
      expect(everything.out).toBe(rolledBack(database, "9999_next", ...tags.toReversed()));
      expect((await introspect(client)).relations).toEqual([]);
    });

    it("changes nothing when a down migration is missing", async () => {
      await rm(join(copy.root, "migrations/down/0000_budgets.sql"));
      const before = await introspect(client);
      expect(await inCopy("rollback", "--all", "--yes")).toEqual({
        code: 2,
        out: "",
        err: "there is no migrations/down/0000_budgets.sql; nothing was changed\n",
      });
      expect(await introspect(client)).toEqual(before);
      expect((await inCopy("status")).code).toBe(0);
    });

    it("lists migrations that only the database has, and does not roll them back", async () => {
      const status = await command("status", database);
      expect(status.code).toBe(1);
      expect(status.out).toMatch(/\nunknown {2}\(not in this tree\) .*\n$/);
      const refused = await command("rollback", database, ["--yes"]);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain("roll back with the release that made it");
      expect((await inCopy("status")).code).toBe(0);
    });

    it("lists a migration whose file has changed since it was applied", async () => {
      await appendFile(join(copy.root, "migrations/9999_next.sql"), "\n-- edited afterwards\n");
      const status = await inCopy("status");
      expect(status.code).toBe(1);
      expect(status.out).toMatch(/^applied {2}0000_budgets .*\n(.*\n)*changed {2}9999_next .*\n$/);
    });
  });
});

async function addMigration(root: string): Promise<void> {
  await editJournal(root, (entries) => {
    const last = entries.at(-1);
    if (last === undefined) throw new Error("there is no migration");
    return [...entries, { ...last, idx: last.idx + 1, when: last.when + 1000, tag: "9999_next" }];
  });
  await writeFile(join(root, "migrations/9999_next.sql"), "create table next (id int);");
  await writeFile(join(root, "migrations/down/9999_next.sql"), "drop table next;");
}
