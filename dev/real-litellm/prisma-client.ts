// Generates prisma-client-py's classes for LiteLLM's schema. Prisma's command line would do it, but it downloads Rust
// programs; here npm's WebAssembly parses the schema, and the generator is spoken to as the command line speaks to it:
// JSON-RPC, one line each way, the answers on stderr.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import prismaSchema from "@prisma/prisma-schema-wasm";
import type { Installation } from "./versions.ts";

interface SchemaConfig {
  readonly generators: readonly object[];
  readonly datasources: readonly object[];
}

/** @throws Error with the generator's message. */
export async function generateClient({ python, queryEngine }: Installation, schemaPath: string): Promise<void> {
  const datamodel = await readFile(schemaPath, "utf8");
  const files = { prismaSchema: [[schemaPath, datamodel]] };
  const dmmf: unknown = JSON.parse(prismaSchema.get_dmmf(JSON.stringify(files)));
  const asked = { ...files, datasourceOverrides: {}, ignoreEnvVarErrors: true, env: {} };
  const { config } = JSON.parse(prismaSchema.get_config(JSON.stringify(asked))) as { config: SchemaConfig };
  const { directory, engineVersion } = prismaPackage(python);
  const generator = {
    ...config.generators[0],
    output: { value: directory, fromEnvVar: null },
    isCustomOutput: true,
    binaryTargets: [{ value: "native", fromEnvVar: null }],
  };
  const params = {
    datamodel,
    schemaPath,
    version: engineVersion,
    dmmf,
    generator,
    otherGenerators: [],
    datasources: config.datasources,
    binaryPaths: { queryEngine: { native: queryEngine } },
  };
  await runGenerator(python, params);
}

function prismaPackage(python: string): { directory: string; engineVersion: string } {
  const code = [
    "import pathlib, prisma",
    "from prisma._config import config",
    "print(pathlib.Path(prisma.__file__).parent)",
    "print(config.expected_engine_version)",
  ].join("\n");
  const { status, stdout, stderr } = spawnSync(python, ["-c", code], { encoding: "utf8" });
  const [directory, engineVersion] = stdout.trim().split("\n");
  if (status !== 0 || directory === undefined || engineVersion === undefined) {
    throw new Error(`prisma-client-py is not installed: ${stderr}`);
  }
  return { directory, engineVersion };
}

async function runGenerator(python: string, params: object): Promise<void> {
  const generator = spawn(python, ["-m", "prisma"], {
    stdio: ["pipe", "ignore", "pipe"],
    env: { ...process.env, PRISMA_GENERATOR_INVOCATION: "true" },
  });
  generator.stdin.end(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "generate", params })}\n`);
  const [answers, [status]] = await Promise.all([text(generator.stderr), once(generator, "close")]);
  const failure = answers
    .split("\n")
    .map(failureIn)
    .find((message) => message !== null);
  if (failure !== undefined) throw new Error(`prisma-client-py was not generated: ${failure}`);
  if (status !== 0) throw new Error(`prisma-client-py's generator exited with code ${String(status)}`);
}

/** The error of a JSON-RPC answer. A line that is no JSON is Python's own. */
function failureIn(line: string): string | null {
  if (line.trim() === "") return null;
  try {
    return (JSON.parse(line) as { error?: { message: string } }).error?.message ?? null;
  } catch {
    return line;
  }
}
