// `npm run bench:reconcile`: measures only the sweep's reconciling, on the embedded parts and on a real Postgres if
// there is one. Exits with 1 when a tenant was not read or was read twice, and never because the run is slow.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand, readCommandLine } from "../cli/command-line.ts";
import { settingsFromEnv } from "../dev/settings.ts";
import { startStack } from "../dev/stack.ts";
import { buildBundle } from "../dev/worker/build.ts";
import type { BenchRun } from "./bench-run.ts";
import { reconcile } from "./cases/reconcile.ts";
import { startLoad } from "./load/start-load.ts";
import { ANY_PORTS } from "./ports.ts";
import { printRows, type Row } from "./report/report.ts";
import type { Backend } from "./stores/counted-stores.ts";
import { startRealBackend } from "./stores/real-backend.ts";

const { options } = readCommandLine(
  defineCommand({
    name: "npm run bench:reconcile --",
    description: "Measures how long the sweep takes to read every tenant from LiteLLM once.",
    exitCodes: { 0: "every tenant was read once, however fast", 1: "a tenant was not read, or was read twice" },
  }).option("--quick", "run on the embedded parts only"),
);

const directory = mkdtempSync(join(tmpdir(), "bursar-bench-"));
const load = startLoad();
const stack = await startStack(settingsFromEnv(ANY_PORTS));
const real = options.quick ? null : await startRealBackend();
try {
  const { dir: worker } = await buildBundle(join(directory, "worker"));
  const run: BenchRun = { quick: options.quick === true, load, stack, bundles: { worker, baseline: worker } };
  const embedded: Backend = { name: "embedded", stack, redisUrl: null, sessions: 1 };
  const rows: Row[] = [];
  for (const backend of real === null ? [embedded] : [embedded, real]) rows.push(...(await reconcile(run, backend)));
  printRows(rows);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await real?.stop();
  await load.stop();
  await stack.stop();
  rmSync(directory, { recursive: true, force: true });
}
