// Creates the tables of a LiteLLM version from the schema in its package.
// LiteLLM's own migrations need the Prisma CLI, and the package of migrations may be older than the schema.

import { readFile } from "node:fs/promises";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import pg from "pg";
import { adapterFor } from "./database.ts";
import { loadSchemaEngine } from "./webassembly.ts";

/** The database must be empty. LiteLLM adds its views itself while it starts. */
export async function createTables(databaseUrl: string, schemaPath: string): Promise<void> {
  const sql = await sqlOf(databaseUrl, schemaPath);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** The engine requires a database, but does not ask it anything here. */
async function sqlOf(databaseUrl: string, schemaPath: string): Promise<string> {
  const content = await readFile(schemaPath, "utf8");
  const { SchemaEngine } = await loadSchemaEngine();
  const factory = bindMigrationAwareSqlAdapterFactory(adapterFor(databaseUrl));
  const engine = await SchemaEngine.new({ datamodels: [[schemaPath, content]] }, () => {}, factory);
  const { stdout } = await engine.diff({
    from: { tag: "empty" },
    to: { tag: "schemaDatamodel", files: [{ path: schemaPath, content }] },
    script: true,
    shadowDatabaseUrl: null,
    exitCode: null,
    filters: { externalTables: [], externalEnums: [] },
  });
  if (stdout === null) throw new Error(`Prisma wrote no SQL for ${schemaPath}`);
  return stdout;
}
