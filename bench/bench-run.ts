// The input of every benchmark case, and the Workers and controls that a case may use.

import type { Stack } from "../dev/stack.ts";
import { startWorkerd, type Workerd } from "../dev/worker/workerd.ts";
import type { Load } from "./load/start-load.ts";

/** The local broker's counts. `messages`: due and not acknowledged. `delayed`: sent with a delay that is not over. */
export interface Backlog {
  readonly messages: number;
  readonly oldestMs: number;
  readonly delayed: number;
  readonly delivered: number;
  readonly acked: number;
  readonly retried: number;
  readonly dead: number;
}

export interface BenchRun {
  readonly quick: boolean;
  readonly load: Load;
  readonly stack: Stack;
  readonly bundles: { readonly worker: string; readonly baseline: string };
}

/** Runs the built Worker in a new process with empty memory and KV. Stops it when `work` ends or throws. */
export async function withWorker<T>(
  run: BenchRun,
  work: (worker: Workerd) => Promise<T>,
  environment = run.stack.environment,
  options: { readonly deliversQueues?: boolean } = {},
): Promise<T> {
  const worker = await startWorkerd({ bundleDir: run.bundles.worker, environment, ...options });
  try {
    return await work(worker);
  } finally {
    await worker.stop();
  }
}

export interface Servers {
  readonly baseline: Workerd;
  readonly worker: Workerd;
}

/** Like {@link withWorker}, with the baseline Worker beside it. */
export async function withBaseline<T>(run: BenchRun, work: (servers: Servers) => Promise<T>): Promise<T> {
  const baseline = await startWorkerd({ bundleDir: run.bundles.baseline, environment: run.stack.environment });
  try {
    return await withWorker(run, (worker) => work({ baseline, worker }));
  } finally {
    await baseline.stop();
  }
}

/** Writes values into the Worker's KV directly, not through its binding. */
export async function fillKv(worker: Workerd, values: Readonly<Record<string, string>>): Promise<void> {
  await control(worker, "SNAPSHOTS", "/_entries", { method: "PUT", body: JSON.stringify(values) });
}

/** Everything in the Worker's KV. */
export async function kvEntries(worker: Workerd): Promise<Record<string, string>> {
  return (await control(worker, "SNAPSHOTS", "/_entries", { method: "GET" })) as Record<string, string>;
}

export async function delayKv(worker: Workerd, delayMs: number): Promise<void> {
  await control(worker, "SNAPSHOTS", "/_delay", { method: "PUT", body: String(delayMs) });
}

/** The counts of a binding inside workerd. `reset` sets them to zero afterwards. */
export async function countsOf<T>(worker: Workerd, binding: string, reset = false): Promise<T> {
  return (await control(worker, binding, "/_counts", { method: reset ? "DELETE" : "GET" })) as T;
}

/** The backlog of a queue. Only for Workers with `deliversQueues`. */
export async function backlogOf(worker: Workerd, binding: string): Promise<Backlog> {
  return (await control(worker, binding, "/_backlog", { method: "GET" })) as Backlog;
}

async function control(worker: Workerd, binding: string, path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(`${worker.services[binding]}${path}`, init);
  if (!response.ok) throw new Error(`${binding}${path} answered ${response.status}`);
  return response.json();
}
