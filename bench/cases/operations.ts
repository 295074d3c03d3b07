// Case: how many operations of KV, queues, Redis, Postgres and LiteLLM checks cost. The providers bill these.

import type { KvCounts } from "../../dev/kv/kv-handler.js";
import type { Workerd } from "../../dev/worker/workerd.ts";
import { type BenchRun, countsOf, fillKv, withWorker } from "../bench-run.ts";
import type { Row } from "../report/report.ts";
import { type Counter, startCounter } from "../stores/counter.ts";
import { deleteSpend, type RealTenants } from "../tenants/real-tenants.ts";
import { agedBy, askRequest, type BenchTenant, generatedTenants, snapshotsOf } from "../tenants/tenants.ts";

/** Long enough for the background work of an answer to finish. */
const SETTLE_MS = 400;

/** Pause between checks, so that their background reads do not queue for the database's only session. */
const PAUSE_MS = 10;

/** Longer than the 2 s after which an isolate reads KV again. */
const MEMORY_MS = 2_100;

/** Old enough for a background refresh, and recent enough to answer from. */
const AGED_MS = 120_000;

interface Counters {
  readonly redis: Counter;
  readonly postgres: Counter;
  readonly litellm: Counter;
}

/** Each path gets its own part of `real`, because a tenant that was just read is not read again for a while. */
export async function operations(run: BenchRun, real: RealTenants): Promise<Row[]> {
  const { secrets, vars } = run.stack.environment;
  const counters = {
    redis: await startCounter("redis", secrets["UPSTASH_REDIS_REST_URL"] ?? ""),
    postgres: await startCounter("postgres", vars["NEON_ENDPOINT"] ?? ""),
    litellm: await startCounter("litellm", run.stack.litellmUrl),
  };
  const environment = {
    secrets: { ...secrets, UPSTASH_REDIS_REST_URL: counters.redis.url },
    vars: { ...vars, NEON_ENDPOINT: counters.postgres.url, LITELLM_URL: counters.litellm.url },
  };
  const third = Math.floor(real.tenants.length / 3);
  const [cold, unchanged, changed] = [0, 1, 2].map((part) => real.tenants.slice(part * third, (part + 1) * third));
  await deleteSpend(run, cold ?? []);
  try {
    return [
      ...(await withWorker(run, (worker) => playWithoutReads(worker, counters), environment)),
      ...(await withWorker(
        run,
        (worker) => playReads(run, worker, counters, real, [unchanged ?? [], changed ?? []]),
        environment,
      )),
      await withWorker(run, (worker) => play(worker, counters, "nothing in memory or KV", cold ?? []), environment),
    ];
  } finally {
    for (const counter of Object.values(counters)) await counter.stop();
  }
}

/** The order matters: each path leaves the isolate in the state that the next path needs. */
async function playWithoutReads(worker: Workerd, counters: Counters): Promise<Row[]> {
  const tenants = generatedTenants(50);
  await fillKv(worker, snapshotsOf(tenants, Date.now()));
  const isNew = await play(worker, counters, "from KV, isolate new to the tenant", tenants);
  const remembers = await play(worker, counters, "from memory (within 2 s)", tenants);
  await sleep(MEMORY_MS);
  return [remembers, await play(worker, counters, "from KV, after 2 s", tenants), isNew];
}

async function playReads(
  run: BenchRun,
  worker: Workerd,
  counters: Counters,
  { snapshots }: RealTenants,
  [unchanged, changed]: [readonly BenchTenant[], readonly BenchTenant[]],
): Promise<Row[]> {
  await fillKv(worker, agedBy(AGED_MS, snapshots));
  for (const { virtualKey } of changed) run.stack.litellm?.setSpend(virtualKey, 20);
  return [
    await play(worker, counters, "from KV + background read, same spend", unchanged),
    await play(worker, counters, "from KV + background read, higher spend", changed),
  ];
}

async function play(
  worker: Workerd,
  { redis, postgres, litellm }: Counters,
  name: string,
  tenants: readonly BenchTenant[],
): Promise<Row> {
  // A process compiles code and connects once. That slows its first reads, and slow reads cost more operations.
  const [first, ...rest] = tenants;
  if (first !== undefined) await check(worker, first);
  await sleep(SETTLE_MS);
  for (const counter of [redis, postgres, litellm]) counter.reset();
  for (const binding of ["SNAPSHOTS", "SPEND_QUEUE", "NOTICES_QUEUE"]) await countsOf(worker, binding, true);
  for (const tenant of rest) {
    await check(worker, tenant);
    await sleep(PAUSE_MS);
  }
  await sleep(SETTLE_MS);
  const kv = await countsOf<KvCounts>(worker, "SNAPSHOTS");
  const spendQueue = await countsOf<{ messages: number }>(worker, "SPEND_QUEUE");
  const notices = await countsOf<{ messages: number }>(worker, "NOTICES_QUEUE");
  const perThousand = (count: number) => ((count * 1_000) / rest.length).toFixed(0);
  return {
    group: "Operations per 1,000 checks, by path",
    name,
    figures: {
      "KV keys read": perThousand(kv.keysRead),
      "KV writes": perThousand(kv.writes + kv.deletes),
      "queue messages": perThousand(spendQueue.messages + notices.messages),
      "Redis commands": perThousand(redis.count()),
      "Postgres requests": perThousand(postgres.count()),
      "LiteLLM reads": perThousand(litellm.count()),
    },
  };
}

/** @throws Error with the answer when it is not a verdict. */
async function check({ url }: Workerd, tenant: BenchTenant): Promise<void> {
  const { path, headers } = askRequest(tenant);
  const response = await fetch(url + path, { headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`check of ${tenant.tenantId}: ${response.status} ${text}`);
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
