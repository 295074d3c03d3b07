// Runs tests in a process of their own and counts them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

/** `environment` is added to this process's. A run that ends without a report counts as one failed test. */
export async function runVitest(selection: readonly string[], environment: NodeJS.ProcessEnv): Promise<Counts> {
  const directory = mkdtempSync(join(tmpdir(), "bursar-tests-"));
  const reportPath = join(directory, "report.json");
  try {
    const flags = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
    const vitest = ["node_modules/vitest/vitest.mjs", "run", ...flags, ...selection];
    const env = { ...process.env, ...environment };
    await once(spawn(process.execPath, vitest, { stdio: "inherit", env }), "exit");
    return countsIn(reportPath);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A file that fails before its first test has no failed test; vitest only says that the run was no success. */
function countsIn(path: string): Counts {
  try {
    const report = JSON.parse(readFileSync(path, "utf8")) as Report;
    const { numPassedTests: passed, numFailedTests, numPendingTests: skipped } = report;
    return { passed, failed: report.success ? numFailedTests : Math.max(1, numFailedTests), skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
