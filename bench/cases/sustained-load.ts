// Case: webhooks at a constant rate, independent of the answers, until the spend queue is empty again.
// Fails when an observation, an alert, a notice or an audit entry is lost.

import type { Workerd } from "../../dev/worker/workerd.ts";
import { type BacklogSample, sampleBacklog } from "../backlog.ts";
import { type BenchRun, backlogOf, fillKv, withWorker } from "../bench-run.ts";
import type { LoadResult } from "../load/job.ts";
import { ms, type Row } from "../report/report.ts";
import { refuseWrongAnswers } from "../rounds.ts";
import { type Backend, type CountedStores, startCountedStores } from "../stores/counted-stores.ts";
import { createSlackChannel, removeChannel } from "../tenants/channels.ts";
import { createTenants } from "../tenants/real-tenants.ts";
import { type RisingTenant, refuseLosses, risingTenants, risingWebhooks } from "../tenants/rising-spend.ts";

const TENANTS = 50;
const SECONDS = 20;
const QUICK_SECONDS = 4;

/** Somewhat more connections than a proxy's pool keeps open. */
const CONNECTIONS = 200;

/** The consumers keep up if the backlog never exceeds this many seconds of webhooks. */
const BOUND_SECONDS = 5;

/** The share of the rate that must be accepted. The last answers arrive a little after the last second. */
const ACCEPTED_SHARE = 0.98;

export interface BacklogSeries {
  readonly backend: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly samples: readonly BacklogSample[];
}

export interface Sustained {
  readonly rows: readonly Row[];
  readonly series: readonly BacklogSeries[];
}

export async function sustainedLoad(run: BenchRun, backend: Backend, rates: readonly number[]): Promise<Sustained> {
  const rows: Row[] = [];
  const series: BacklogSeries[] = [];
  for (const perSecond of rates) {
    const stores = await startCountedStores(backend);
    try {
      const played = await playRate({ ...run, stack: backend.stack }, stores, perSecond);
      rows.push(toRow(backend, perSecond, played));
      const { seconds, samples } = played;
      series.push({ backend: backend.name, perSecond, seconds, samples });
    } finally {
      await stores.stop();
    }
  }
  return { rows, series };
}

interface Played {
  readonly seconds: number;
  readonly accepted: LoadResult;
  readonly samples: readonly BacklogSample[];
  readonly drainedMs: number;
  readonly operations: { readonly postgres: number; readonly redis: number };
}

async function playRate(run: BenchRun, stores: CountedStores, perSecond: number): Promise<Played> {
  const { tenants, snapshots } = await createTenants(run, `sustained-${perSecond}`, TENANTS);
  const seconds = run.quick ? QUICK_SECONDS : SECONDS;
  const rounds = Math.round((perSecond * seconds) / TENANTS);
  const rising = risingTenants(tenants);
  const play = async (worker: Workerd): Promise<Played> => {
    await fillKv(worker, snapshots);
    const channel = await createSlackChannel(worker, `${run.stack.inbox.url}/slack/sustained`, null);
    stores.take();
    let sentAt = 0;
    const requests = risingWebhooks(rising, rounds);
    spend(run, rising);
    const sending = run.load
      .fire({ url: worker.url, requests, connections: CONNECTIONS, seconds: null, perSecond })
      .then((result) => {
        sentAt = performance.now();
        return result;
      });
    const samples = await sampleBacklog(worker, sending);
    const drainedMs = performance.now() - sentAt;
    const accepted = await sending;
    const operations = stores.take();
    await removeChannel(worker, channel);
    refuseWrongAnswers(`${perSecond} a second`, accepted, "200");
    await refuseRetries(worker);
    await refuseLosses(run.stack, rising, rounds);
    return { seconds, accepted, samples, drainedMs, operations };
  };
  return withWorker(run, play, stores.environment, { deliversQueues: true });
}

/** A webhook is a hint: what Bursar records is what its read of LiteLLM shows. */
function spend({ stack }: BenchRun, rising: readonly RisingTenant[]): void {
  for (const { tenant, lastUsd } of rising) stack.litellm?.setSpend(tenant.virtualKey, lastUsd);
}

/** No part fails in this case, so a retry is an error although it loses nothing. */
async function refuseRetries(worker: Workerd): Promise<void> {
  for (const queue of ["SPEND_QUEUE", "NOTICES_QUEUE"]) {
    const { retried, dead } = await backlogOf(worker, queue);
    if (retried + dead > 0) throw new Error(`${queue}: ${retried} retries, ${dead} dead letters:\n${worker.output()}`);
  }
}

function toRow(backend: Backend, perSecond: number, played: Played): Row {
  const { accepted, samples, drainedMs, operations } = played;
  const largest = Math.max(...samples.map(({ messages }) => messages));
  const oldestMs = Math.max(...samples.map(({ oldestMs }) => oldestMs));
  const isBounded = largest <= perSecond * BOUND_SECONDS && accepted.perSecond >= perSecond * ACCEPTED_SHARE;
  const per = (count: number) => (count / accepted.count).toFixed(3);
  return {
    group: `Sustained webhooks, ${TENANTS} tenants, ${played.seconds} s, ${backend.name}`,
    name: `${perSecond} a second`,
    figures: {
      "accepted per s": accepted.perSecond.toFixed(0),
      "p50 ms": ms(accepted.p50Ms),
      "p95 ms": ms(accepted.p95Ms),
      "largest backlog": String(largest),
      "oldest s": (oldestMs / 1_000).toFixed(1),
      "drained after s": (drainedMs / 1_000).toFixed(1),
      "Postgres per webhook": per(operations.postgres),
      "Redis per webhook": per(operations.redis),
    },
    target: { text: `accepted, backlog < ${BOUND_SECONDS} s`, met: isBounded },
  };
}
