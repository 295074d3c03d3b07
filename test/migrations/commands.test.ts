// The operator's commands: what they say, how they exit, and that a refusal leaves everything as it was.

import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LocalPostgres } from "../../dev/postgres/start-postgres.ts";
import { connect, postgresBackends } from "../support/postgres-backends.ts";
import { command, copyTree, drizzleKitMigrate, tree } from "./commands.ts";
import { introspect } from "./introspect.ts";

it("has a way back for every migration", async () => {
  const up = (await readdir(join(tree, "migrations"))).filter((file) => file.endsWith(".sql"));
  expect(up.length).toBeGreaterThan(0);
  expect((await readdir(join(tree, "migrations/down"))).sort()).toEqual(up.sort());
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
  let postgres: LocalPostgres;
  let client: pg.Client;
  let database: { DATABASE_URL: string };

  beforeAll(async () => {
    postgres = await start();
    database = { DATABASE_URL: postgres.databaseUrl };
    client = await connect(postgres.databaseUrl);
  });

  beforeEach(async () => {
    await client.query("drop schema public cascade; drop schema if exists drizzle cascade; create schema public");
  });

  afterAll(async () => {
    await client.end();
    await postgres.stop();
  });

  it("status shows what is pending and exits 1, after migrating what is applied and exits 0", async () => {
    const before = await command("status", database);
    expect(before).toMatchObject({ code: 1, err: "" });
    expect(before.out).toMatch(/^pending {2}0000_budgets {2}\(made \d{4}-\d\d-\d\dT[\d:.]+Z\)\n$/);

    expect((await command("migrate", database)).code).toBe(0);
    const after = await command("status", database, ["--json"]);
    expect(after.code).toBe(0);
    expect(JSON.parse(after.out)).toEqual([{ tag: "0000_budgets", state: "applied", made_at: expect.any(String) }]);
  });

  it("migrating twice changes nothing the second time", async () => {
    await command("migrate", database);
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
    await command("migrate", database);
    await command("rollback", database);
    expect(await command("rollback", database)).toEqual(nothing);
  });

  it("rolling back stops before anything of somebody else's that depends on our tables", async () => {
    await command("migrate", database);
    await client.query("create view report as select tenant_id from tenant_configs");
    const before = await introspect(client);
    const refused = await command("rollback", database);
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toContain("cannot drop table tenant_configs");
    expect(await introspect(client)).toEqual(before);
    expect((await command("status", database)).code).toBe(0);
  });

  describe("in a tree with a second migration", () => {
    let copy: Awaited<ReturnType<typeof copyTree>>;
    const inCopy = (name: "status" | "migrate" | "rollback", ...args: string[]) =>
      command(name, database, args, copy.root);

    beforeEach(async () => {
      copy = await copyTree();
      await addSecondMigration(copy.root);
      await inCopy("migrate");
    });
    afterEach(() => copy.remove());

    it("takes down the last one only, and everything with --all", async () => {
      expect((await inCopy("rollback")).out).toBe("rolled back 0001_second\n");
      expect((await inCopy("status")).out).toMatch(/^applied {2}0000_budgets .*\npending {2}0001_second /);
      await inCopy("migrate");
      expect((await inCopy("rollback", "--all")).out).toBe("rolled back 0001_second\nrolled back 0000_budgets\n");
      expect((await introspect(client)).relations).toEqual([]);
    });

    it("changes nothing when one of the ways back is missing", async () => {
      await rm(join(copy.root, "migrations/down/0000_budgets.sql"));
      const before = await introspect(client);
      expect(await inCopy("rollback", "--all")).toEqual({
        code: 2,
        out: "",
        err: "there is no migrations/down/0000_budgets.sql; nothing was changed\n",
      });
      expect(await introspect(client)).toEqual(before);
      expect((await inCopy("status")).code).toBe(0);
    });

    it("shows what a database has that the tree does not, and does not roll that back", async () => {
      const status = await command("status", database);
      expect(status.code).toBe(1);
      expect(status.out).toMatch(/^applied {2}0000_budgets .*\nunknown {2}\(not in this tree\) /);
      const refused = await command("rollback", database);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain("roll back with the release that made it");
      expect((await inCopy("status")).code).toBe(0);
    });

    it("shows a migration whose file is no longer what was applied", async () => {
      await appendFile(join(copy.root, "migrations/0001_second.sql"), "\n-- edited afterwards\n");
      const status = await inCopy("status");
      expect(status.code).toBe(1);
      expect(status.out).toMatch(/^applied {2}0000_budgets .*\nchanged {2}0001_second /);
    });
  });
});

async function addSecondMigration(root: string): Promise<void> {
  const journalFile = join(root, "migrations/meta/_journal.json");
  const journal = JSON.parse(await readFile(journalFile, "utf8"));
  const [first] = journal.entries;
  journal.entries.push({ ...first, idx: 1, when: first.when + 1000, tag: "0001_second" });
  await writeFile(journalFile, JSON.stringify(journal));
  await writeFile(join(root, "migrations/0001_second.sql"), "create table second (id int);");
  await writeFile(join(root, "migrations/down/0001_second.sql"), "drop table second;");
}
