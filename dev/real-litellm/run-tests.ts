// `npm run test:litellm`: runs the contract suite of test/litellm against real LiteLLM proxies, one after the other.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { ServiceMissingError } from "../services/process.ts";
import { InstallationError } from "./install.ts";
import { type StartingLitellm, startRealLitellm } from "./proxy.ts";
import { ALL_VERSIONS, TESTED_VERSIONS } from "./versions.ts";

const SUITE = "test/litellm/contract-";

/** What the command needs is not on this machine. */
const MISSING_EXIT = 3;

const {
  args: [requested],
  options,
} = readCommandLine(
  defineCommand({
    name: "npm run test:litellm --",
    description: `Runs the contract suite against real LiteLLM proxies, by default ${TESTED_VERSIONS.join(" and ")}.`,
    exitCodes: {
      0: "every test passed on every version",
      1: "a test failed, or a proxy did not start",
      [MISSING_EXIT]: "Python, Postgres or PyPI is missing",
    },
  })
    .argument("[versions...]", "other versions")
    .option("--all", `run against ${ALL_VERSIONS.join(", ")}`),
);

interface Result {
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

let litellm: StartingLitellm | null = null;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void (litellm?.stop() ?? Promise.resolve()).then(() => process.exit(1));
  });
}

async function testVersion(version: string): Promise<Result> {
  console.log(`\nStarting LiteLLM ${version} …`);
  const directory = mkdtempSync(join(tmpdir(), "bursar-contract-"));
  const reportPath = join(directory, "report.json");
  litellm = startRealLitellm({ version, say: console.log });
  try {
    const proxy = await litellm.ready;
    const flags = ["--project", "node", "--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
    const vitest = ["node_modules/vitest/vitest.mjs", "run", ...flags, SUITE];
    const env = { ...process.env, LITELLM_URL: proxy.url, LITELLM_MASTER_KEY: proxy.masterKey };
    await once(spawn(process.execPath, vitest, { stdio: "inherit", env }), "exit");
    const report = JSON.parse(readFileSync(reportPath, "utf8")) as Report;
    const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = report;
    return { version, passed, failed, skipped };
  } finally {
    await litellm.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function resultLine({ version, passed, failed, skipped }: Result): string {
  const line = `LiteLLM ${version.padEnd(9)} ${passed} passed, ${failed} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}

async function run(versions: readonly string[]): Promise<number> {
  const results: Result[] = [];
  for (const version of versions) results.push(await testVersion(version));
  console.log(`\n${results.map(resultLine).join("\n")}`);
  return results.every(({ passed, failed }) => failed === 0 && passed > 0) ? 0 : 1;
}

const byDefault = options.all === true ? ALL_VERSIONS : TESTED_VERSIONS;
try {
  process.exitCode = await run(requested.length > 0 ? requested : byDefault);
} catch (error) {
  const isMissing = error instanceof ServiceMissingError || error instanceof InstallationError;
  console.error(isMissing ? error.message : error);
  process.exitCode = isMissing ? MISSING_EXIT : 1;
}
