// `npm run bench:scale`: the list of tenants, the sweep and the counting of calls at 100,000 tenants and 2,000,000
// lines of audit, beside 1,000 tenants and 20,000 lines. Exits with 1 when a page of the list looks at half as much of
// the database as counting every state anew, or a case is answered wrongly, and never because a case is slow.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { ServiceMissingError } from "../../dev/services/process.ts";
import { settingsFromEnv } from "../../dev/settings.ts";
import { startStack } from "../../dev/stack.ts";
import { buildBundle } from "../../dev/worker/build.ts";
import { TENANTS } from "../../test/plans/filled-database.ts";
import type { BenchRun } from "../bench-run.ts";
import { startLoad } from "../load/start-load.ts";
import { ANY_PORTS } from "../ports.ts";
import { printRows } from "../report/report.ts";
import { fillBoth, type TwoSizes } from "./filled.ts";
import { queries } from "./queries.ts";
import { stateTriggers } from "./state-triggers.ts";
import { tenantPages } from "./tenant-pages.ts";

const { options } = readCommandLine(
  defineCommand({
    name: "npm run bench:scale --",
    description: "Measures the list of tenants and the sweep at 100,000 tenants, beside 1,000. Needs Postgres.",
    environment: { TEST_DATABASE_URL: "a running Postgres to use instead of an installed one" },
    exitCodes: {
      0: "each page of the list read little, however fast",
      1: "a page of the list read much, an answer was wrong, or Postgres is missing",
    },
  }).option("--tenants <number>", "how many tenants the larger database has", Number, TENANTS),
);

async function play(sizes: TwoSizes): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "bursar-bench-"));
  const load = startLoad();
  const stack = await startStack(settingsFromEnv(ANY_PORTS));
  try {
    const { dir: worker } = await buildBundle(join(directory, "worker"));
    const run: BenchRun = { quick: false, load, stack, bundles: { worker, baseline: worker } };
    const pages = await tenantPages(run, sizes);
    const { rows, faults } = await queries(sizes);
    printRows([...pages, ...rows, ...(await stateTriggers(sizes.many))]);
    return faults;
  } finally {
    await load.stop();
    await stack.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const begunAt = performance.now();
const seconds = () => Math.round((performance.now() - begunAt) / 1_000);
try {
  const sizes = await fillBoth(options.tenants);
  console.log(`filled after ${seconds()} s`);
  try {
    const faults = await play(sizes);
    for (const fault of faults) console.error(`at ${options.tenants} tenants ${fault}`);
    process.exitCode = faults.length > 0 ? 1 : 0;
  } finally {
    await sizes.stop();
  }
  console.log(`\n${seconds()} s`);
} catch (error) {
  console.error(error instanceof ServiceMissingError ? error.message : error);
  process.exitCode = 1;
}
