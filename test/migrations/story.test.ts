// The migrations, applied by drizzle-kit itself, on every available Postgres.

import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LocalPostgres } from "../../dev/postgres/start-postgres.ts";
import { connect, postgresBackends } from "../support/servers/postgres-backends.ts";
import { command, copyTree, drizzleKitMigrate, editJournal, migrateHere, rolledBack, tags } from "./commands.ts";
import { type Introspection, introspect } from "./introspect.ts";

const nothing: Introspection = {
  ...{ columns: [], constraints: [], indexes: [], sequences: [], relations: [] },
  others: [{ what: "extension", name: "plpgsql" }],
};

describe.each(postgresBackends)("migrations on $name", ({ start }) => {
  let postgres: LocalPostgres;
  let client: pg.Client;
  let database: { DATABASE_URL: string };
  let migrated: Introspection;

  beforeAll(async () => {
    postgres = await start();
    database = { DATABASE_URL: postgres.databaseUrl };
    client = await connect(postgres.databaseUrl);
    expect(await introspect(client)).toEqual(nothing);
    expect((await drizzleKitMigrate(database)).code).toBe(0);
    migrated = await introspect(client);
  });

  beforeEach(async () => {
    await client.query("delete from tenant_configs");
    await client.query(
      "insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at) values ('acme', 'key', 'h', now())",
    );
  });

  afterAll(async () => {
    await client.end();
    await postgres.stop();
  });

  const columnsOf = (table: string) => migrated.columns.filter((column) => column["table"] === table);
  const column = (table: string, name: string) => columnsOf(table).find((each) => each["column"] === name);

  it("M1: applies to an empty Postgres and makes the budget, override and alert tables", () => {
    const names = columnsOf("tenant_configs").map((each) => each["column"]);
    expect(names).toEqual(
      expect.arrayContaining([
        ...["tenant_id", "max_budget", "alert_threshold", "grace_threshold", "budget_duration"],
        ...["budget_reset_at", "litellm_key_last_reset"],
      ]),
    );
    expect(columnsOf("budget_overrides").map((each) => each["column"])).toContain("override_amount");
    expect(columnsOf("budget_alert_history").map((each) => each["column"])).toContain("identity");
  });

  it("M1: creates exactly the tables of the design", () => {
    expect(migrated.relations.filter(({ kind }) => kind === "r").map(({ name }) => name)).toEqual([
      ...["audit_log", "budget_alert_history", "budget_overrides", "counted_calls", "counted_webhooks", "dead_letters"],
      ...[
        "litellm_outage",
        "notice_deliveries",
        "notification_channels",
        "platform_alerts",
        "tenant_configs",
        "tenant_keys",
        ...["tenant_spend", "tenant_state_counts", "tenant_states"],
      ],
    ]);
    const others = Map.groupBy(migrated.others, ({ what }) => what);
    const namesOf = (what: string) => others.get(what)?.map(({ name }) => name);
    const keptOf = ["budget_overrides", "tenant_configs", "tenant_spend", "tenant_states"];
    expect(namesOf("extension")).toEqual(["plpgsql"]);
    expect(namesOf("function")).toEqual(
      [...keptOf.map((table) => `${table}_changed`), "refresh_tenant_states", "compute_tenant_states"].sort(),
    );
    expect([...new Set(namesOf("trigger")?.map((name) => String(name).replace(/_[a-z]+$/, "")))]).toEqual(keptOf);
  });

  it("M1: keeps money exact to the nano-USD and instants to the millisecond with their zone", () => {
    for (const name of ["spend", "max_budget", "limit_amount", "override_amount", "burn_per_second"]) {
      const types = migrated.columns.filter((each) => each["column"] === name).map(({ type }) => type);
      expect(new Set(types)).toEqual(new Set(["numeric(24,9)"]));
    }
    const instants = migrated.columns.filter(({ type }) => String(type).startsWith("timestamp"));
    expect(instants.length).toBeGreaterThan(20);
    expect(new Set(instants.map(({ type }) => type))).toEqual(new Set(["timestamp(3) with time zone"]));
  });

  it("M2: every tenant_id but the audit's is a foreign key to tenant_configs that follows a deletion", () => {
    const keys = migrated.constraints
      .filter(({ definition }) => String(definition).includes("REFERENCES tenant_configs(tenant_id) ON DELETE CASCADE"))
      .map(({ table }) => table);
    const holders = migrated.columns.filter((each) => each["column"] === "tenant_id").map(({ table }) => table);
    expect(keys).toEqual(holders.filter((table) => table !== "tenant_configs" && table !== "audit_log"));
    expect(keys).toEqual(expect.arrayContaining(["budget_alert_history", "budget_overrides"]));
  });

  it("M2: deleting a tenant deletes its rows and keeps its audit trail", async () => {
    await client.query(`
      insert into budget_overrides (id, tenant_id, override_amount, expires_at, reason, created_by)
        values (gen_random_uuid(), 'acme', 1, now() + interval '1 h', 'r', 'a');
      insert into audit_log (actor, action, tenant_id) values ('a', 'tenant.deleted', 'acme');
      delete from tenant_configs where tenant_id = 'acme'`);
    expect((await client.query("select 1 from budget_overrides")).rowCount).toBe(0);
    expect((await client.query("delete from audit_log where tenant_id = 'acme'")).rowCount).toBe(1);
  });

  it("M2: an override or alert of a tenant that does not exist is refused", async () => {
    const orphan =
      client.query(`insert into budget_overrides (id, tenant_id, override_amount, expires_at, reason, created_by)
      values (gen_random_uuid(), 'nobody', 1, now() + interval '1 h', 'r', 'a')`);
    await expect(orphan).rejects.toMatchObject({ code: "23503", table: "budget_overrides" });
  });

  it("M2: the indexes of overrides and alerts are there, the alerts' newest first", () => {
    const definitionOf = (name: string) => migrated.indexes.find((index) => index["name"] === name)?.["definition"];
    expect(definitionOf("idx_budget_overrides_tenant")).toMatch(
      /ON public\.budget_overrides .*\(tenant_id, expires_at\)$/,
    );
    expect(definitionOf("idx_budget_alerts_tenant")).toMatch(
      /ON public\.budget_alert_history .*\(tenant_id, created_at DESC, id\)$/,
    );
  });

  it("M2: a tenant gets 500.00, 80, 110 and 30d by default, and every other default of the contract", async () => {
    const { rows } = await client.query("select *, now() - litellm_sync_since < '1 min' as fresh from tenant_configs");
    expect(rows[0]).toMatchObject({
      max_budget: "500.000000000",
      alert_threshold: "80.00",
      grace_threshold: "110.00",
      budget_duration: "30d",
      budget_reset_at: null,
      litellm_key_last_reset: null,
      config_version: 1,
      enforcement: "enforce",
      fail_policy: null,
      adopted: false,
      litellm_sync: "pending",
      fresh: true,
    });
  });

  it("M2: max_budget may be zero but not null; budget_duration and budget_reset_at may be null", async () => {
    expect(column("tenant_configs", "max_budget")).toMatchObject({ not_null: true });
    expect(column("tenant_configs", "budget_reset_at")).toMatchObject({ not_null: false });
    await expect(client.query("update tenant_configs set max_budget = null")).rejects.toMatchObject({ code: "23502" });
    const { rows } = await client.query(
      "update tenant_configs set max_budget = 0, budget_duration = null returning max_budget, budget_duration",
    );
    expect(rows).toEqual([{ max_budget: "0.000000000", budget_duration: null }]);
  });

  it("M3: down removes everything, and up again restores exactly the same schema", async () => {
    const down = await command("rollback", database, ["--all", "--yes"]);
    expect(down).toMatchObject({ code: 0, out: rolledBack(database, ...tags.toReversed()) });
    expect(await introspect(client)).toEqual(nothing);
    expect((await client.query("select * from drizzle.__drizzle_migrations")).rows).toEqual([]);

    expect((await drizzleKitMigrate(database)).code).toBe(0);
    expect(await introspect(client)).toEqual(migrated);
  });

  it("M3: each migration in turn: its down leaves the schema that was before it, its up the one after it", async () => {
    // A used sequence differs from the one that its migration created.
    await command("rollback", database, ["--all", "--yes"]);
    let before = await introspect(client);
    for (const tag of tags) {
      await migrateUpTo(tag, client);
      const after = await introspect(client);
      expect(await command("rollback", database, ["--yes"])).toMatchObject({ code: 0, out: rolledBack(database, tag) });
      expect(await introspect(client)).toEqual(before);
      await migrateUpTo(tag, client);
      expect(await introspect(client)).toEqual(after);
      before = after;
    }
    expect(before).toEqual(migrated);
  });
});

/** Migrates from a tree whose last migration is `tag`. */
async function migrateUpTo(tag: string, client: pg.Client): Promise<void> {
  const copy = await copyTree();
  try {
    await editJournal(copy.root, (entries) => entries.slice(0, tags.indexOf(tag) + 1));
    await migrateHere(client, copy.root);
  } finally {
    await copy.remove();
  }
}
