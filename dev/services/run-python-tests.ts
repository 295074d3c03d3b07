// `npm run test:python`: runs the tests that need Python. `npm test` skips them, because it must run with Node alone.

import { spawnSync } from "node:child_process";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";

readCommandLine(
  defineCommand({
    name: "npm run test:python --",
    description: "Runs the tests of the Python example. Needs python3.",
    exitCodes: { 0: "every test passed", 1: "a test failed, or python3 is missing" },
  }),
);

function run(): number {
  if (spawnSync("python3", ["--version"]).error) {
    console.error("python3 is not installed (on Debian: apt-get install python3)");
    return 1;
  }
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "python"];
  return spawnSync(process.execPath, vitest, { stdio: "inherit" }).status ?? 1;
}

process.exitCode = run();
