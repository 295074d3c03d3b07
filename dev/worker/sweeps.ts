// The Worker's cron in a local stack: `wrangler dev` has a route for it and no clock.

import { setTimeout as pause } from "node:timers/promises";

/** As the cron of wrangler.toml. */
const EVERY_MS = 60_000;

/** Runs one sweep. A failed sweep is in the Worker's log, and the next one repairs it. */
export async function sweep(workerUrl: string): Promise<void> {
  await fetch(`${workerUrl}/__scheduled?cron=*+*+*+*+*`).catch(() => null);
}

/** Sweeps every minute until the process ends or `signal` is aborted. Never rejects. */
export async function sweepEveryMinute(workerUrl: string, signal: AbortSignal, everyMs = EVERY_MS): Promise<void> {
  for (;;) {
    const passed = await pause(everyMs, true, { signal }).catch(() => false);
    if (!passed) return;
    await sweep(workerUrl);
  }
}
