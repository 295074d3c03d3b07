// `npm run adopt`: an operator's command against a LiteLLM and a Bursar that run. Wiring only.

import { runAdopt } from "./run.ts";

const interruption = new AbortController();
process.once("SIGINT", () => {
  process.stderr.write("\nEnding what has been begun; Ctrl-C again leaves at once.\n");
  interruption.abort();
});

process.exitCode = await runAdopt(process.argv.slice(2), {
  env: process.env,
  out: process.stdout,
  err: process.stderr,
  signal: interruption.signal,
  clock: Date.now,
});
