// `npm run adopt`: connects the command to this process. Wiring only.

import { runAdopt } from "./run.ts";

const interruption = new AbortController();
process.once("SIGINT", () => {
  process.stderr.write("\nFinishing the adoptions that have started. Press Ctrl-C again to stop at once.\n");
  interruption.abort();
});

process.exitCode = await runAdopt(process.argv.slice(2), {
  env: process.env,
  out: process.stdout,
  err: process.stderr,
  signal: interruption.signal,
  clock: Date.now,
});
