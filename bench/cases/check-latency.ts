// Case: the latency of a check that does not read LiteLLM, beside a bare route that reads KV once.

import type { KvCounts } from "../../dev/kv/kv-handler.js";
import type { Workerd } from "../../dev/worker/workerd.ts";
import { type BenchRun, countsOf, delayKv, fillKv, type Servers, withBaseline } from "../bench-run.ts";
import type { LoadJob, LoadRequest } from "../load/job.ts";
import { latencyCells, type Row } from "../report/report.ts";
import { type Contender, type Figures, playRounds } from "../rounds.ts";
import { insertTenants } from "../tenants/real-tenants.ts";
import { askRequest, type BenchTenant, generatedTenants, snapshotsOf } from "../tenants/tenants.ts";

/** Large enough that the isolate's memory of a tenant (2 s) has expired when the ring returns to that tenant. */
const RING = 9_000;

/** Hot keys of KV answer in about 1 ms and most others in tens of ms, so 2 ms is optimistic. */
const KV_DELAY_MS = 2;

const TARGET = 1.25;

const ONE_KEY = "bare route, one key";
const TWO_KEYS = "bare route, a check's two keys";
const FROM_KV = "check from KV";

/** A smoke test sends one request at a time, so it does not reach the end of this ring in a round. */
const QUICK_RING = 3_000;

/** More than a round can send. Passing the whole ring to the load process would take longer than the round. */
const ROUND_REQUESTS = 5_000;
const ROUND_SECONDS = 0.7;

const bareRequest = (path: string): LoadRequest => ({ path, headers: { authorization: "Bearer sk-bench-0" } });

interface Setting {
  readonly kvDelayMs: number;
  readonly connections: number;
}

/** 100 connections saturate the machine. A KV delay would hide the saturation, so that setting has none. */
const SETTINGS: readonly Setting[] = [
  { kvDelayMs: 0, connections: 1 },
  { kvDelayMs: KV_DELAY_MS, connections: 1 },
  { kvDelayMs: 0, connections: 100 },
];

export function checkLatency(run: BenchRun): Promise<Row[]> {
  return withBaseline(run, async (servers) => {
    const tenants = generatedTenants(run.quick ? QUICK_RING : RING);
    await insertTenants(run, tenants);
    const rows: Row[] = [];
    for (const setting of run.quick ? SETTINGS.slice(0, 1) : SETTINGS) {
      rows.push(...(await playSetting(run, servers, tenants, setting)));
    }
    return rows;
  });
}

async function playSetting(
  run: BenchRun,
  servers: Servers,
  tenants: readonly BenchTenant[],
  setting: Setting,
): Promise<Row[]> {
  const { baseline, worker } = servers;
  for (const server of [baseline, worker]) {
    await delayKv(server, 0);
    // Every setting gets new snapshots, so that none becomes old enough for a refresh.
    await fillKv(server, snapshotsOf(tenants, Date.now()));
    await delayKv(server, setting.kvDelayMs);
  }
  // After these requests the isolate's memory maps each key to its tenant, for a minute.
  const requests = tenants.map(askRequest);
  await run.load.fire({ url: worker.url, requests, connections: 20, seconds: null });
  const figures = await playRounds(run.load, contenders(servers, requests, setting), run.quick ? 2 : 7);
  return [...figures].map(([name, each]) => toRow(name, each, setting));
}

function contenders(
  { baseline, worker }: Servers,
  checks: readonly LoadRequest[],
  { connections }: Setting,
): Contender[] {
  const job = (url: string, requests: readonly LoadRequest[]): LoadJob => ({
    url,
    connections,
    seconds: ROUND_SECONDS,
    requests: requests.length < connections ? repeated(requests, connections) : requests,
  });
  const bare = (name: string, path: string): Contender => ({
    name,
    baseline: name,
    job: () => job(baseline.url, [bareRequest(path)]),
  });
  const fromMemory = (count: number): Contender => ({
    name: `check from memory, ${count} tenant${count > 1 ? "s" : ""}`,
    baseline: ONE_KEY,
    job: () => job(worker.url, checks.slice(0, count)),
  });
  return [
    bare(ONE_KEY, "/one/bench-0"),
    fromMemory(1),
    ...(connections > 1 ? [fromMemory(100)] : []),
    bare(TWO_KEYS, "/two/bench-0"),
    fromKv(worker, checks, (requests) => job(worker.url, requests)),
  ];
}

function fromKv(
  worker: Workerd,
  checks: readonly LoadRequest[],
  job: (requests: readonly LoadRequest[]) => LoadJob,
): Contender {
  let from = 0;
  return {
    name: FROM_KV,
    baseline: TWO_KEYS,
    job: () => job([...checks.slice(from), ...checks.slice(0, from)].slice(0, ROUND_REQUESTS)),
    async after({ count }) {
      from = (from + count) % checks.length;
      const { bulkReads } = await countsOf<KvCounts>(worker, "SNAPSHOTS", true);
      // The checks from memory also read KV a few times. Fewer reads than checks mean that checks did not use KV.
      if (bulkReads < count * 0.9) throw new Error(`${FROM_KV}: only ${bulkReads} of ${count} read KV`);
    },
  };
}

function toRow(name: string, figures: Figures, { kvDelayMs, connections }: Setting): Row {
  const isBaseline = name === ONE_KEY || name === TWO_KEYS;
  return {
    group: `Check, ${connections} at a time, KV answers ${kvDelayMs === 0 ? "at once" : `after ${kvDelayMs} ms`}`,
    name,
    figures: latencyCells(figures),
    ...(!isBaseline && { target: { text: `p95 <= ${TARGET}x`, met: figures.p95Ratio <= TARGET } }),
  };
}

function repeated<T>(values: readonly T[], count: number): T[] {
  return Array.from({ length: Math.ceil(count / values.length) }, () => values)
    .flat()
    .slice(0, count);
}
