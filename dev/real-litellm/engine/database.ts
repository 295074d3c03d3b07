// Connects Prisma's query engine to Postgres through Prisma's own adapter for node-postgres.

import { readFile } from "node:fs/promises";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindAdapter, type ErrorRegistry, type SqlDriverAdapter } from "@prisma/driver-adapter-utils";
import pg from "pg";
import { type Models, modelsIn } from "./json-fields.ts";
import { loadQueryEngine, type QueryEngine } from "./webassembly.ts";

export interface Database {
  readonly engine: QueryEngine;
  readonly models: Models;
  /** The errors of Postgres that the engine has no code for. */
  readonly errors: ErrorRegistry;
}

/** Parameters of a Prisma URL that node-postgres does not know. */
const PRISMA_ONLY = [
  "connection_limit",
  "pool_timeout",
  "schema",
  "pgbouncer",
  "connect_timeout",
  "socket_timeout",
  "statement_cache_size",
  "sslaccept",
];
const DEFAULT_CONNECTIONS = 10;
const DEFAULT_WAIT_S = 10;

/** `schemaPath`: LiteLLM's schema.prisma. @throws Error when Postgres cannot be reached. */
export async function connectDatabase(databaseUrl: string, schemaPath: string): Promise<Database> {
  const { QueryEngine } = await loadQueryEngine();
  const adapter = bindAdapter(readingCatalogue(await adapterFor(databaseUrl).connect()));
  const datamodel = await readFile(schemaPath, "utf8");
  const options = { datamodel, logLevel: "error", logQueries: false, enableTracing: false };
  const engine = new QueryEngine(options, () => {}, adapter);
  await engine.connect("{}", "1");
  return { engine, models: modelsIn(datamodel), errors: adapter.errorRegistry };
}

export function adapterFor(databaseUrl: string): PrismaPg {
  const url = new URL(databaseUrl);
  const number = (name: string, fallback: number) => Number(url.searchParams.get(name) ?? fallback);
  const max = number("connection_limit", DEFAULT_CONNECTIONS);
  const connectionTimeoutMillis = number("pool_timeout", DEFAULT_WAIT_S) * 1_000;
  const schema = url.searchParams.get("schema");
  for (const name of PRISMA_ONLY) url.searchParams.delete(name);
  return new PrismaPg(
    { connectionString: url.href, max, connectionTimeoutMillis },
    schema === null ? undefined : { schema },
  );
}

const TEXT = 25;
const TEXT_ARRAY: number = 1009;
/** Types of Postgres' catalogue: "char", name, regproc, xid, regclass, regtype, and arrays of the first two. */
const CATALOGUE_TYPES = [18, 19, 24, 28, 2205, 2206];
const CATALOGUE_ARRAYS = [1002, 1003];
const READ_AS = new Map([
  ...CATALOGUE_TYPES.map((type) => [type, TEXT] as const),
  ...CATALOGUE_ARRAYS.map((type) => [type, TEXT_ARRAY] as const),
]);

interface Performing {
  performIO(query: unknown): Promise<{ fields: { dataTypeID: number }[] }>;
}

/** LiteLLM reads the catalogue while it starts. Prisma's adapter refuses its types, which read well as text. */
function readingCatalogue(adapter: SqlDriverAdapter): SqlDriverAdapter {
  const readTextArray = pg.types.getTypeParser(TEXT_ARRAY);
  for (const type of CATALOGUE_ARRAYS) pg.types.setTypeParser(type, readTextArray);
  const queryable = Object.getPrototypeOf(Object.getPrototypeOf(adapter)) as Performing;
  const { performIO } = queryable;
  queryable.performIO = async function (this: Performing, query) {
    const result = await performIO.call(this, query);
    for (const field of result.fields) field.dataTypeID = READ_AS.get(field.dataTypeID) ?? field.dataTypeID;
    return result;
  };
  return adapter;
}
