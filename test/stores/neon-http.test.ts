// Neon's HTTP protocol through Neon's own driver, on every available Postgres.

import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { neonHttp } from "../../dev/postgres/neon-http.ts";
import type { LocalPostgres } from "../../dev/postgres/start-postgres.ts";
import { connect, postgresBackends } from "../support/servers/postgres-backends.ts";

const ready = { "Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true" };

describe.each(postgresBackends)("Neon HTTP on $name", ({ start }) => {
  let postgres: LocalPostgres;
  let wire: pg.Client;
  let sql: ReturnType<typeof neon<false, false>>;

  const post = (body: string, headers: Record<string, string> = ready) =>
    fetch(`${postgres.neon.url}/sql`, { method: "POST", body, headers });
  const valuesOf = async () => (await sql`select id from things order by id`).map((row) => row["id"]);

  beforeAll(async () => {
    postgres = await start();
    neonConfig.fetchEndpoint = `${postgres.neon.url}/sql`;
    sql = neon(postgres.databaseUrl);
    wire = await connect(postgres.databaseUrl);
    await wire.query("create table things (id int primary key, label text)");
  });

  beforeEach(async () => {
    await wire.query("truncate things");
  });

  afterAll(async () => {
    await wire.end();
    await postgres.stop();
  });

  it("gives every type back as the driver knows it", async () => {
    const rows = await sql`select 42 as whole, 9007199254740993::bigint as big, 412.500000000::numeric(24,9) as money,
      true as yes, null as nothing, '2026-03-01T12:00:00.123Z'::timestamptz as instant, '{"a":[1,null]}'::jsonb as json,
      '{1,2}'::int[] as list, '\\x00ff'::bytea as bytes, 'Zoë 💸'::text as words`;
    expect(rows).toEqual([
      {
        whole: 42,
        big: "9007199254740993",
        money: "412.500000000",
        yes: true,
        nothing: null,
        instant: new Date("2026-03-01T12:00:00.123Z"),
        json: { a: [1, null] },
        list: [1, 2],
        bytes: Buffer.from([0, 255]),
        words: "Zoë 💸",
      },
    ]);
  });

  it("passes parameters of every kind, null among them", async () => {
    const rows = await sql`select ${"O'Brien; --"}::text as words, ${null}::text as nothing, ${7}::int as whole,
      ${{ a: 1 }}::jsonb as json, ${new Date("2026-03-01T00:00:00Z")}::timestamptz as instant, ${["a", "b"]}::text[] as list`;
    expect(rows).toEqual([
      {
        words: "O'Brien; --",
        nothing: null,
        whole: 7,
        json: { a: 1 },
        instant: new Date("2026-03-01T00:00:00Z"),
        list: ["a", "b"],
      },
    ]);
  });

  it("returns command, row count and fields beside the rows", async () => {
    const result = await sql.query("insert into things values ($1, $2), ($3, $4) returning id", [1, "a", 2, "b"], {
      fullResults: true,
    });
    expect(result).toMatchObject({ command: "INSERT", rowCount: 2, rowAsArray: false, rows: [{ id: 1 }, { id: 2 }] });
    expect(result.fields[0]).toMatchObject({ name: "id", dataTypeID: 23, columnID: 1, format: "text" });
  });

  it("commits a batch as one transaction", async () => {
    const results = await sql.transaction([
      sql`insert into things values (1, 'a')`,
      sql`select label from things`,
      sql`select ${0}::int + count(*)::int as n from things`,
    ]);
    expect(results).toEqual([[], [{ label: "a" }], [{ n: 1 }]]);
    expect(await valuesOf()).toEqual([1]);
  });

  it("keeps nothing of a batch whose last query fails", async () => {
    const batch = sql.transaction([sql`insert into things values (1, 'a')`, sql`insert into things values (1, 'b')`]);
    await expect(batch).rejects.toMatchObject({ code: "23505", constraint: "things_pkey" });
    expect(await valuesOf()).toEqual([]);
  });

  it("honours the isolation level and the read-only mode of a batch", async () => {
    const level = sql`select current_setting('transaction_isolation') as level`;
    expect(await sql.transaction([level], { isolationLevel: "Serializable" })).toEqual([[{ level: "serializable" }]]);
    expect(await sql.transaction([level], { isolationLevel: "RepeatableRead" })).toEqual([
      [{ level: "repeatable read" }],
    ]);
    const write = sql.transaction([sql`insert into things values (1, 'a')`], { readOnly: true });
    await expect(write).rejects.toMatchObject({ code: "25006" });
    expect(await sql.transaction([sql`insert into things values (1, 'a')`, level])).toMatchObject([
      [],
      [{ level: "read committed" }],
    ]);
  });

  it("reports a refusal with all that Postgres said", async () => {
    await sql`insert into things values (1, 'a')`;
    const error = await sql`insert into things values (1, 'b')`.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(NeonDbError);
    expect(error).toMatchObject({
      code: "23505",
      severity: "ERROR",
      detail: "Key (id)=(1) already exists.",
      schema: "public",
      table: "things",
      constraint: "things_pkey",
      routine: "_bt_check_unique",
    });
    await expect(sql`select nothing_of_that_name`).rejects.toMatchObject({ code: "42703", position: "8" });
  });

  it("takes one statement per query, as Neon does", async () => {
    await expect(sql.query("select 1; select 2")).rejects.toMatchObject({ code: "42601" });
  });

  it("answers twenty queries at once beside a wire client, each its own answer", async () => {
    const wireAnswers = (async () => {
      const seen: unknown[] = [];
      for (let n = 0; n < 20; n += 1) seen.push((await wire.query("select $1::int as n", [n])).rows[0].n);
      return seen;
    })();
    const twenty = Array.from({ length: 20 }, (_, n) => n);
    const answers = await Promise.all(twenty.map((n) => sql`select ${n}::int as n`));
    expect(answers).toEqual(twenty.map((n) => [{ n }]));
    expect(await wireAnswers).toEqual(twenty);
  });

  it("never lets a query slip into a wire client's transaction", async () => {
    const other = await connect(postgres.databaseUrl);
    await other.query("begin");
    await other.query("insert into things values (1, 'rolled back')");
    const queries = Promise.all([
      sql`insert into things values (2, 'kept')`,
      sql.transaction([sql`insert into things values (3, 'kept')`, sql`insert into things values (4, 'kept')`]),
      wire.query("insert into things values ($1, $2)", [5, "kept"]),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await other.query("insert into things values (6, 'rolled back')");
    await other.query("rollback");
    await queries;
    expect(await valuesOf()).toEqual([2, 3, 4, 5]);
    await other.end();
  });

  it("never mixes the queries of several wire clients, failing ones among them", async () => {
    const clients = await Promise.all([1, 2, 3].map(() => connect(postgres.databaseUrl)));
    const talk = async (client: pg.Client, who: number) => {
      const seen: unknown[] = [];
      for (let n = 0; n < 20; n += 1) {
        const failing = client.query("select 1 / $1::int", [0]).catch((error: pg.DatabaseError) => error.code);
        const answering = client.query("select $1::text as said", [`${who}:${n}`]);
        seen.push(await failing, (await answering).rows[0].said);
      }
      return seen;
    };
    const heard = await Promise.all(clients.map(talk));
    const expected = (who: number) => Array.from({ length: 20 }, (_, n) => ["22012", `${who}:${n}`]).flat();
    expect(heard).toEqual([expected(0), expected(1), expected(2)]);
    await Promise.all(clients.map((client) => client.end()));
  });

  it("rolls back the open transaction of a client that died, and serves the next one", async () => {
    const doomed = await connect(postgres.databaseUrl);
    doomed.on("error", () => {});
    await doomed.query("begin");
    await doomed.query("insert into things values (1, 'half done')");
    (doomed as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await sql`insert into things values (1, 'whole')`;
    expect(await sql`select label from things`).toEqual([{ label: "whole" }]);
  });

  it.each([
    ["a body that is not JSON", "{", ready],
    ["a body that is no query", `{"sql":"select 1"}`, ready],
    ["an unknown isolation level", `{"queries":[]}`, { ...ready, "Neon-Batch-Isolation-Level": "Snapshot" }],
    ["a wish for JSON types", `{"query":"select 1"}`, {}],
  ])("answers 400 with a message to %s", async (_, body, headers) => {
    const response = await post(body, headers);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ message: expect.any(String) });
  });

  it("answers 404 to anything but POST /sql", async () => {
    expect((await fetch(`${postgres.neon.url}/sql`)).status).toBe(404);
  });
});

it("answers 500, not a refusal, when Postgres cannot be reached", async () => {
  const nobody = new pg.Pool({ connectionString: "postgres://u:secret@127.0.0.1:1/x" });
  const request = new Request("http://neon/sql", { method: "POST", headers: ready, body: `{"query":"select 1"}` });
  const response = await neonHttp(nobody)(request);
  expect(response.status).toBe(500);
  const { message } = (await response.json()) as { message: string };
  expect(message).toContain("ECONNREFUSED");
  expect(message).not.toContain("secret");
});
