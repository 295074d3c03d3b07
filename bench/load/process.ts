// The load process: fires one job after the other at a server and tells how long each answer took.
// A process of its own, so that no work of the benchmark delays a clock.

import autocannon from "autocannon";
import type { LoadJob, LoadResult } from "./job.ts";

/** Longer than any answer may take, also that of a Worker whose LiteLLM hangs. */
const TIMEOUT_SECONDS = 5;

/** How often autocannon looks whether a job is over. */
const SAMPLE_MS = 50;

process.on("message", (job: LoadJob) => {
  void fire(job).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit(0));

async function fire(job: LoadJob): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const statuses: Record<string, number> = {};
  const begunAt = performance.now();
  const { errors, timeouts } = await run(job, (status, latencyMs) => {
    latenciesMs.push(latencyMs);
    statuses[status] = (statuses[status] ?? 0) + 1;
  });
  const seconds = (performance.now() - begunAt) / 1_000;
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (share: number) => sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0;
  return {
    count: sorted.length,
    perSecond: sorted.length / seconds,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: at(1),
    statuses,
    errors: errors + timeouts,
  };
}

/** autocannon's own figures are whole milliseconds, too coarse for answers of less than one. */
function run(
  { url, requests, connections, seconds }: LoadJob,
  onAnswer: (status: number, latencyMs: number) => void,
): Promise<autocannon.Result> {
  let next = 0;
  return new Promise((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        connections,
        timeout: TIMEOUT_SECONDS,
        sampleInt: SAMPLE_MS,
        ...(seconds === null ? { amount: requests.length } : { duration: seconds }),
        setupClient(client) {
          const first = next++;
          client.setRequests(
            requests
              .filter((_, index) => index % connections === first % requests.length)
              .map(({ path, headers }) => ({ method: "GET", path, headers })),
          );
        },
      },
      (error: unknown, result) => (error ? reject(error) : resolve(result)),
    );
    instance.on("response", (_client, status, _bytes, latencyMs) => onAnswer(status, latencyMs));
  });
}
