// Case: the time from the start of workerd to the first answer of /healthz, and the bundle's size.

import type { Bundle } from "../../dev/worker/build.ts";
import { type BenchRun, withWorker } from "../bench-run.ts";
import { ms, type Row } from "../report/report.ts";

const STARTS = 10;
const QUICK_STARTS = 2;

/** Cloudflare rejects a Worker whose start takes longer. The time here includes the start of the workerd process. */
const TARGET_MS = 1_000;

export async function startUp(run: BenchRun, { bytes, gzipBytes }: Bundle): Promise<Row> {
  const times: number[] = [];
  for (let start = 0; start < (run.quick ? QUICK_STARTS : STARTS); start++) times.push(await firstAnswerMs(run));
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
  return {
    group: "Start-up",
    name: "worker.js, minified",
    figures: {
      "first answer, median ms": ms(median),
      KiB: (bytes / 1_024).toFixed(1),
      "gzip KiB": (gzipBytes / 1_024).toFixed(1),
    },
    target: { text: `<= ${TARGET_MS} ms`, met: median <= TARGET_MS },
  };
}

async function firstAnswerMs(run: BenchRun): Promise<number> {
  const startedAt = performance.now();
  return withWorker(run, async ({ url }) => {
    const response = await fetch(`${url}/healthz`);
    await response.text();
    if (response.status !== 200) throw new Error(`/healthz answered ${response.status}`);
    return performance.now() - startedAt;
  });
}
