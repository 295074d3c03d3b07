// The load process: runs one job after the other against a server and reports the latencies. It is a separate process,
// so that other work of the benchmark does not delay its clock.

import autocannon from "autocannon";
import type { LoadJob, LoadResult } from "./job.ts";
import { fireByClock } from "./open-loop.ts";
import { type PreparedRequest, prepared } from "./prepare.ts";

/** Longer than any answer may take, including the answer of a Worker whose LiteLLM hangs. */
const TIMEOUT_SECONDS = 5;

/** At a constant rate an answer may be late because earlier ones are. A long backlog is a result, not an error. */
const LATE_MS = 60_000;

/** How often autocannon checks whether a job is over. */
const SAMPLE_MS = 50;

process.on("message", (job: LoadJob) => {
  void fire(job).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit(0));

type OnAnswer = (status: number, latencyMs: number) => void;

async function fire(job: LoadJob): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const statuses: Record<string, number> = {};
  const requests = job.requests.map(prepared);
  const begunAt = performance.now();
  const errors = await run(job, requests, (status, latencyMs) => {
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
    errors,
  };
}

async function run(job: LoadJob, requests: readonly PreparedRequest[], onAnswer: OnAnswer): Promise<number> {
  const { url, connections, perSecond } = job;
  if (perSecond !== undefined) {
    return fireByClock({ url, requests, perSecond, connections, timeoutMs: LATE_MS }, onAnswer);
  }
  const { errors, timeouts } = await cannonade(job, requests, onAnswer);
  return errors + timeouts;
}

/** Records latencies itself: autocannon reports whole milliseconds, too coarse for answers below 1 ms. */
function cannonade(
  { url, connections, seconds }: LoadJob,
  requests: readonly PreparedRequest[],
  onAnswer: OnAnswer,
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
          client.setRequests(requests.filter((_, index) => index % connections === first % requests.length));
        },
      },
      (error: unknown, result) => (error ? reject(error) : resolve(result)),
    );
    instance.on("response", (_client, status, _bytes, latencyMs) => onAnswer(status, latencyMs));
  });
}
