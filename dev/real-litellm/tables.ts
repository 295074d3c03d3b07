// Creates the tables of a LiteLLM version from the schema in its package.
// LiteLLM's own migrations need the Prisma CLI, and the package of migrations may be older than the schema.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";

const PRINT_TABLES = fileURLToPath(new URL("engine/print-tables.ts", import.meta.url));

/** The database must be empty. LiteLLM adds its views itself while it starts. */
export async function createTables(databaseUrl: string, schemaPath: string): Promise<void> {
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  const { stdout } = await promisify(execFile)(process.execPath, [PRINT_TABLES, schemaPath], { env });
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(stdout);
  } finally {
    await client.end();
  }
}
