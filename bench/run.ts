// `npm run bench`: measures the built Worker on plain workerd beside a bare baseline. `--quick` runs a smoke test.
// Exits with 1 when a case does not run or gets a wrong answer, and never because a case is slow.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, readCommandLine } from "../cli/command-line.ts";
import { settingsFromEnv } from "../dev/settings.ts";
import { startStack } from "../dev/stack.ts";
import { buildBundle } from "../dev/worker/build.ts";
import type { BenchRun } from "./bench-run.ts";
import { checkLatency } from "./cases/check-latency.ts";
import { coldMiss } from "./cases/cold-miss.ts";
import { deadLiteLlm } from "./cases/dead-litellm.ts";
import { dedupeClaims } from "./cases/dedupe-claims.ts";
import { farStores } from "./cases/far-stores.ts";
import { operations } from "./cases/operations.ts";
import { spendToInbox } from "./cases/spend-to-inbox.ts";
import { startUp } from "./cases/start-up.ts";
import { type BacklogSeries, type Sustained, sustainedLoad } from "./cases/sustained-load.ts";
import { webhookLatency } from "./cases/webhook-latency.ts";
import { startLoad } from "./load/start-load.ts";
import { ANY_PORTS } from "./ports.ts";
import { backlogChart } from "./report/backlog-chart.ts";
import { printRows, type Row, writeResults } from "./report/report.ts";
import type { Backend } from "./stores/counted-stores.ts";
import { startRealBackend } from "./stores/real-backend.ts";
import { createTenants } from "./tenants/real-tenants.ts";

const RESULTS = fileURLToPath(new URL("results.json", import.meta.url));
const PLOT = fileURLToPath(new URL("../docs/img/backlog.svg", import.meta.url));

/** Webhooks a second. */
const RATES = [50, 200, 1_000];
const QUICK_RATES = [200];

const { options } = readCommandLine(
  defineCommand({
    name: "npm run bench --",
    description:
      "Measures the built Worker on workerd beside a baseline. Writes bench/results.json and docs/img/backlog.svg.",
    exitCodes: { 0: "every case ran, however fast", 1: "a case did not run or answered wrongly" },
  }).option("--quick", "run a short smoke test on the embedded parts only, without the plot"),
);

const directory = mkdtempSync(join(tmpdir(), "bursar-bench-"));
const begunAt = new Date();
const load = startLoad();
const stack = await startStack(settingsFromEnv(ANY_PORTS));
try {
  const worker = await buildBundle(join(directory, "worker"));
  const baseline = await buildBundle(join(directory, "baseline"), "bench/baseline/worker.ts");
  const bundles = { worker: worker.dir, baseline: baseline.dir };
  const run: BenchRun = { quick: options.quick === true, load, stack, bundles };

  const checkRows = await playChecks(run);
  const { rows: webhookRows, backlog } = await playWebhooks(run);
  const rows = [...checkRows, ...webhookRows, await timed("start-up", () => startUp(run, worker))];
  printRows(rows);
  const seconds = Math.round((Date.now() - begunAt.getTime()) / 1_000);
  const machine = { cores: cpus().length, model: cpus()[0]?.model ?? "unknown", node: process.version };
  writeResults(RESULTS, { begun_at: begunAt.toISOString(), seconds, quick: run.quick, machine, rows, backlog });
  if (!run.quick) writePlot(backlog);
  console.log(`\n${seconds} s on ${machine.cores} cores (${machine.model}); written to bench/results.json`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await load.stop();
  await stack.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function playChecks(run: BenchRun): Promise<Row[]> {
  const { cold, stale, counted } = await timed("tenants", async () => ({
    cold: await createTenants(run, "cold", run.quick ? 40 : 220),
    stale: await createTenants(run, "stale", run.quick ? 66 : 120),
    counted: await createTenants(run, "counted", run.quick ? 30 : 150),
  }));
  return [
    ...(await timed("checks", () => checkLatency(run))),
    ...(await timed("cold misses", () => coldMiss(run, cold.tenants))),
    ...(await timed("far stores", () => farStores(run, cold.tenants))),
    ...(await timed("dead LiteLLM", () => deadLiteLlm(run, stale))),
    ...(await timed("operations", () => operations(run, counted))),
  ];
}

/** A smoke test uses only the embedded parts. A full run also uses real servers when there are any. */
async function playWebhooks(run: BenchRun): Promise<{ rows: Row[]; backlog: BacklogSeries[] }> {
  const real = run.quick ? null : await timed("real servers", startRealBackend);
  const embedded: Backend = { name: "embedded Postgres and Redis", stack, redisUrl: null, sessions: 1 };
  const inbox = await timed("spend to inbox", () => spendToInbox(run));
  try {
    const accepted = await timed("webhooks", () => webhookLatency(run));
    const sustained: Sustained[] = [];
    for (const backend of real === null ? [embedded] : [embedded, real]) {
      const rates = run.quick ? QUICK_RATES : RATES;
      sustained.push(await timed(`sustained, ${backend.name}`, () => sustainedLoad(run, backend, rates)));
    }
    const confirmed = run.quick ? [] : await timed("confirmations", () => inbox.confirmations());
    const claims = await timed("claims", () => dedupeClaims(run, real?.redisUrl ?? null));
    const sustainedRows = sustained.flatMap((each) => each.rows);
    return {
      rows: [...accepted, ...sustainedRows, ...inbox.rows, ...confirmed, ...claims],
      backlog: sustained.flatMap(({ series }) => series),
    };
  } finally {
    await inbox.stop();
    await real?.stop();
  }
}

/** Plots the last backend that was measured, which is the real one when there is one. */
function writePlot(backlog: readonly BacklogSeries[]): void {
  const backend = backlog.at(-1)?.backend;
  const series = backlog.filter((each) => each.backend === backend);
  mkdirSync(dirname(PLOT), { recursive: true });
  writeFileSync(PLOT, backlogChart(series, `Backlog of the spend queue, ${backend}`));
}

/** Prints each step and how long it took. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  process.stdout.write(`${what} … `);
  const result = await work();
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  return result;
}
