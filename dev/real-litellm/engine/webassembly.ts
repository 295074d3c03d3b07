// Loads Prisma's engines as npm has them: WebAssembly, and the JavaScript generated beside it.
// Node cannot import a .wasm file by itself, so these functions connect the two.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { ConstructorOptions, SchemaEngine } from "@prisma/schema-engine-wasm";

/** The part of the query engine that serves prisma-client-py. All arguments and answers are JSON text. */
export interface QueryEngine {
  connect(trace: string, requestId: string): Promise<void>;
  query(body: string, trace: string, transactionId: string | undefined, requestId: string): Promise<string>;
  startTransaction(options: string, trace: string, requestId: string): Promise<string>;
  commitTransaction(id: string, trace: string, requestId: string): Promise<string>;
  rollbackTransaction(id: string, trace: string, requestId: string): Promise<string>;
}

interface QueryEngineModule {
  readonly QueryEngine: new (
    options: { datamodel: string; logLevel: string; logQueries: boolean; enableTracing: boolean },
    log: (line: string) => void,
    adapter: object,
  ) => QueryEngine;
}

interface SchemaEngineModule {
  readonly SchemaEngine: {
    new: (options: ConstructorOptions, log: (line: string) => void, adapterFactory: object) => Promise<SchemaEngine>;
  };
}

const { resolve } = createRequire(import.meta.url);

export async function loadQueryEngine(): Promise<QueryEngineModule> {
  const glue = resolve("@prisma/query-engine-wasm/postgresql/query_engine_bg.js");
  return (await connected(glue)) as QueryEngineModule;
}

export async function loadSchemaEngine(): Promise<SchemaEngineModule> {
  return (await connected(resolve("@prisma/schema-engine-wasm/schema_engine_bg"))) as SchemaEngineModule;
}

interface Glue extends WebAssembly.ModuleImports {
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
}

/** The .wasm file has the name of its JavaScript, and imports it under that name. */
async function connected(gluePath: string): Promise<unknown> {
  const glue = (await import(gluePath)) as Glue;
  const compiled = await WebAssembly.compile(await readFile(gluePath.replace(/\.js$/, ".wasm")));
  const importName = `./${gluePath.split("/").at(-1)}`;
  const { exports } = await WebAssembly.instantiate(compiled, { [importName]: glue });
  glue.__wbg_set_wasm(exports);
  const start = exports["__wbindgen_start"] as () => void;
  start();
  return glue;
}
