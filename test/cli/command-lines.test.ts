// What every command of package.json does with its arguments, each in a process of its own.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

/** Scripts that are a program of ours without fixed arguments: name and file. */
const COMMANDS = Object.entries(scripts).flatMap(([name, script]) => {
  const file = /^node ((?:cli|dev|bench)\/\S+\.ts)$/.exec(script)?.[1];
  return file === undefined ? [] : [{ name, file }];
});

/** They end before they need a variable, and would fail at once if they did not. */
const ENV = { PATH: process.env["PATH"], DATABASE_URL: "postgres://u:p@127.0.0.1:1/none" };

function run(file: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { env: ENV }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}

const usageOf = (name: string) => `Usage: npm ${name === "start" ? name : `run ${name}`} -- `;

it("finds the commands", () => {
  expect(COMMANDS.map(({ name }) => name)).toEqual(expect.arrayContaining(["start", "adopt", "db:rollback", "bench"]));
});

describe.each(COMMANDS)("$name", ({ name, file }) => {
  it("prints its usage and its exit codes for --help, and exits 0", async () => {
    const { code, out, err } = await run(file, "--help");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(usageOf(name));
    expect(out).toMatch(/\nExit codes:\n {2}0 {2}/);
  });

  // A second process for each command would cost more than it shows: `--help` above comes from the same parser.
  it("reads its arguments by the strict parser alone", () => {
    expect(readFileSync(file, "utf8")).toMatch(/\breadCommandLine\(|\brunAdopt\(process\.argv\.slice\(2\)/);
  });
});

it.each([
  ["db:rollback", "cli/database/rollback.ts", []],
  ["adopt", "cli/adopt/adopt.ts", ["--from", "litellm"]],
  ["start", "dev/start.ts", []],
  ["bench", "bench/run.ts", []],
])("exits 2 for an unknown flag of %s, names it and shows the usage", async (name, file, needed) => {
  const { code, out, err } = await run(file, ...needed, "--no-such-flag");
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("unknown option '--no-such-flag'");
  expect(err).toContain(usageOf(name));
});

it("exits 2 for a stray argument, names it and shows the usage", async () => {
  const { code, out, err } = await run("cli/database/rollback.ts", "--yes", "0000_budgets");
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("got 1: 0000_budgets");
  expect(err).toContain(usageOf("db:rollback"));
});

it("exits 2 when an option takes the next flag as its value", async () => {
  const { code, out, err } = await run("cli/adopt/adopt.ts", "--from", "litellm", "--only", "--apply");
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("only needs a value before --apply");
});
