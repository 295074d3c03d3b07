// `npm run bench`: the built Worker on plain workerd beside a bare baseline. `--quick` is the smoke test of it.
// Ends with 1 when something does not run or answers wrongly; never because it is slow.

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { settingsFromEnv } from "../dev/settings.ts";
import { startStack } from "../dev/stack.ts";
import { buildBundle } from "../dev/worker/build.ts";
import type { BenchRun } from "./bench-run.ts";
import { bundleSize } from "./cases/bundle-size.ts";
import { checkLatency } from "./cases/check-latency.ts";
import { coldMiss } from "./cases/cold-miss.ts";
import { deadLiteLlm } from "./cases/dead-litellm.ts";
import { operations } from "./cases/operations.ts";
import { startLoad } from "./load/start-load.ts";
import { createTenants } from "./real-tenants.ts";
import { printRows, type Row, writeResults } from "./report.ts";

const RESULTS = fileURLToPath(new URL("results.json", import.meta.url));
const ANY_PORTS = ["PORT", "LITELLM_PORT", "INBOX_PORT", "POSTGRES_PORT", "NEON_PORT", "UPSTASH_PORT"];

const { values: options } = parseArgs({ options: { quick: { type: "boolean", default: false } } });

const directory = mkdtempSync(join(tmpdir(), "bursar-bench-"));
const begunAt = new Date();
const load = startLoad();
const stack = await startStack(settingsFromEnv(Object.fromEntries(ANY_PORTS.map((name) => [name, "0"]))));
try {
  const worker = await buildBundle(join(directory, "worker"));
  const baseline = await buildBundle(join(directory, "baseline"), "bench/baseline/worker.ts");
  const bundles = { worker: worker.dir, baseline: baseline.dir };
  const run: BenchRun = { quick: options.quick, load, stack, bundles };

  const { cold, stale, counted } = await timed("tenants", async () => ({
    cold: await createTenants(run, "cold", options.quick ? 40 : 220),
    stale: await createTenants(run, "stale", options.quick ? 66 : 120),
    counted: await createTenants(run, "counted", options.quick ? 30 : 150),
  }));
  const rows: Row[] = [
    ...(await timed("checks", () => checkLatency(run))),
    ...(await timed("cold misses", () => coldMiss(run, cold.tenants))),
    ...(await timed("dead LiteLLM", () => deadLiteLlm(run, stale))),
    ...(await timed("operations", () => operations(run, counted))),
    bundleSize(worker),
  ];
  printRows(rows);
  const seconds = Math.round((Date.now() - begunAt.getTime()) / 1_000);
  const machine = { cores: cpus().length, model: cpus()[0]?.model ?? "unknown", node: process.version };
  writeResults(RESULTS, { begun_at: begunAt.toISOString(), seconds, quick: options.quick, machine, rows });
  console.log(`\n${seconds} s on ${machine.cores} cores (${machine.model}); written to bench/results.json`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await load.stop();
  await stack.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** Tells what is going on, and how long it took. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  process.stdout.write(`${what} … `);
  const result = await work();
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  return result;
}
