// Asks the operator on a terminal whether a rollback is meant. Only a typed `yes` is one.

import { createInterface } from "node:readline/promises";
import { CommandError } from "./connect.ts";

type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** @throws CommandError, exit code 1, when it is not confirmed or there is no terminal to ask on. */
export async function confirmRollback(input: Input, output: NodeJS.WritableStream): Promise<void> {
  if (input.isTTY !== true) {
    throw new CommandError("there is no terminal to ask for confirmation: pass --yes; nothing was changed", 1);
  }
  const terminal = createInterface({ input, output });
  const closed = new AbortController();
  // Ctrl-C and Ctrl-D close the terminal and leave the question open for ever.
  terminal.once("close", () => closed.abort());
  try {
    const answer = await terminal.question("Type yes to roll back: ", { signal: closed.signal });
    if (answer.trim() === "yes") return;
  } catch (error) {
    if (!closed.signal.aborted) throw error;
  } finally {
    terminal.close();
  }
  throw new CommandError("not confirmed; nothing was changed", 1);
}
