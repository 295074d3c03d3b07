// Prints the SQL that creates the tables of a Prisma schema: `DATABASE_URL=… node print-tables.ts schema.prisma`.
// A program of its own, because the schema engine fails when it is loaded a second time in one process.

import { readFile } from "node:fs/promises";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import { adapterFor } from "./database.ts";
import { loadSchemaEngine } from "./webassembly.ts";

/** The engine requires a database, but does not ask it anything here. */
async function sqlOf(schemaPath: string, databaseUrl: string): Promise<string> {
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
  return stdout ?? "";
}

process.stdout.write(await sqlOf(process.argv[2] ?? "", process.env["DATABASE_URL"] ?? ""));
