// Asks the operator on a terminal to confirm a rollback. Only a typed `yes` confirms it.

import { createInterface } from "node:readline/promises";
import { CommandError } from "./connect.ts";

type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** @throws CommandError with exit code 1 when the operator does not confirm, or when there is no terminal. */
export async function confirmRollback(input: Input, output: NodeJS.WritableStream): Promise<void> {
  if (input.isTTY !== true) {
    throw new CommandError("there is no terminal to ask for confirmation: pass --yes; nothing was changed", 1);
  }
  const terminal = createInterface({ input, output });
  const closed = new AbortController();
  // Ctrl-C and Ctrl-D close the terminal, but `question` would then never settle.
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
