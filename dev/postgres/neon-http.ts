// Neon's HTTP protocol (`POST /sql`) over a pool of ordinary Postgres connections.
// Values pass through as the text that Postgres sent; the client parses them by type id. This part ignores the address
// and the credentials in Neon-Connection-String: any client that can reach it can use the database behind it.

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

/** Answers 400 with every field of a Postgres error, 400 to a malformed request, and 500 if Postgres is unreachable. */
export function neonHttp(pool: pg.Pool): (request: Request) => Response | Promise<Response> {
  const app = new Hono();
  app.post("/sql", async (c) => {
    // Neon can also answer with JSON types and objects, but its client never requests them.
    if (c.req.header("Neon-Raw-Text-Output") !== "true" || c.req.header("Neon-Array-Mode") !== "true") {
      return c.json({ message: "Neon-Raw-Text-Output and Neon-Array-Mode must both be true" }, 400);
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

/** The BEGIN statement. Null when Postgres has no such isolation level. */
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
    // If the rollback fails too, the pool closes this connection.
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
    // Like Neon, this allows one statement per query, with or without parameters.
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
