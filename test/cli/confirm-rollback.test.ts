// The question before a rollback: only a typed yes on a terminal confirms it.

import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { confirmRollback } from "../../cli/database/confirm-rollback.ts";

function terminal(typed: string) {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const output = new PassThrough();
  input.end(typed);
  return { input, output };
}

describe("confirming a rollback", () => {
  it("accepts a typed yes", async () => {
    const { input, output } = terminal("yes\n");
    await confirmRollback(input, output);
    expect(String(output.read())).toContain("Type yes to roll back: ");
  });

  it.each([
    ["an empty line", "\n"],
    ["a mere y", "y\n"],
    ["a no", "no\n"],
    ["the end of the input", ""],
  ])("refuses %s with exit code 1", async (_, typed) => {
    const { input, output } = terminal(typed);
    const refusal = { message: "not confirmed; nothing was changed", exitCode: 1 };
    await expect(confirmRollback(input, output)).rejects.toMatchObject(refusal);
  });

  it("refuses a yes that is piped in without a terminal", async () => {
    const input = new PassThrough();
    input.end("yes\n");
    await expect(confirmRollback(input, new PassThrough())).rejects.toMatchObject({ exitCode: 1 });
  });
});
