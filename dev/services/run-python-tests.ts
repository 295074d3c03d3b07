// `npm run test:python`: the tests that run Python, which `npm test` leaves out because it needs nothing but Node.

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
    console.error("there is no python3 on this machine (on Debian: apt-get install python3)");
    return 1;
  }
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "python"];
  return spawnSync(process.execPath, vitest, { stdio: "inherit" }).status ?? 1;
}

process.exitCode = run();
