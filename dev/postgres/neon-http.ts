// Neon's HTTP protocol (`POST /sql`) over a pool of ordinary Postgres connections.
// Values pass through as Postgres wrote them: the client reads them by type id. The address and the credentials in the
// request's Neon-Connection-String are not looked at; whoever reaches this part reaches the database behind it.

import { Hono } from "hono";
import pg from "pg";
import { z } from "zod";

const query = z.object({
  query: z.string(),
  params: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).default([]),
});
const batch = z.object({ queries: z.array(query) });

type Query = z.infer<typeof query>;
type QueryRunner = Pick<pg.ClientBase, "query">;

const isolationLevels: Readonly<Record<string, string>> = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
};

const errorFields = [
  ...["code", "severity", "detail", "hint", "position", "internalPosition", "internalQuery", "where", "schema"],
  ...["table", "column", "dataType", "constraint", "file", "line", "routine"],
] as const;

const asWritten = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

/** A refusal by Postgres is 400 with all it said; a request not understood is 400; an unreachable Postgres is 500. */
export function neonHttp(pool: pg.Pool): (request: Request) => Response | Promise<Response> {
  const app = new Hono();
  app.post("/sql", async (c) => {
    // Neon can also answer in JSON types and objects; its client never asks for that.
    if (c.req.header("Neon-Raw-Text-Output") !== "true" || c.req.header("Neon-Array-Mode") !== "true") {
      return c.json({ message: "only Neon-Raw-Text-Output: true with Neon-Array-Mode: true is served here" }, 400);
    }
    const body = await c.req.json().catch(() => undefined);
    const single = query.safeParse(body);
    if (single.success) return c.json(await run(pool, single.data));
    const several = batch.safeParse(body);
    if (!several.success) return c.json({ message: "the body is neither a query nor a batch of queries" }, 400);
    const begin = beginOf((name) => c.req.header(name));
    if (begin === null) return c.json({ message: "unknown Neon-Batch-Isolation-Level" }, 400);
    return c.json({ results: await runBatch(pool, begin, several.data.queries) });
  });
  app.onError((error, c) =>
    error instanceof pg.DatabaseError
      ? c.json(describe(error), 400)
      : c.json({ message: `Postgres cannot be reached: ${error.message}` }, 500),
  );
  return app.fetch;
}

/** Null when the isolation level is none of Postgres'. */
function beginOf(header: (name: string) => string | undefined): string | null {
  const words = ["BEGIN"];
  const level = header("Neon-Batch-Isolation-Level");
  if (level !== undefined) {
    const name = isolationLevels[level];
    if (name === undefined) return null;
    words.push("ISOLATION LEVEL", name);
  }
  if (header("Neon-Batch-Read-Only") === "true") words.push("READ ONLY");
  if (header("Neon-Batch-Deferrable") === "true") words.push("DEFERRABLE");
  return words.join(" ");
}

async function runBatch(pool: pg.Pool, begin: string, queries: readonly Query[]) {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query(begin);
    const results: Awaited<ReturnType<typeof run>>[] = [];
    for (const each of queries) results.push(await run(client, each));
    await client.query("COMMIT");
    return results;
  } catch (error) {
    // A connection that cannot even roll back is thrown away, with whatever it held.
    await client.query("ROLLBACK").catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

async function run(runner: QueryRunner, { query: text, params }: Query) {
  const result = await runner.query<unknown[]>({
    text,
    values: params,
    rowMode: "array",
    types: asWritten,
    // As Neon does: one statement per query, with or without parameters.
    queryMode: "extended",
  } as pg.QueryArrayConfig);
  return {
    command: result.command,
    rowCount: result.rowCount,
    rowAsArray: true,
    fields: result.fields,
    rows: result.rows,
  };
}

function describe(error: pg.DatabaseError) {
  return {
    message: error.message,
    ...Object.fromEntries(errorFields.map((field) => [field, error[field] ?? null])),
  };
}
