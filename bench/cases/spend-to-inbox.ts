// Case: the time from a signed webhook that crosses 80 % to the Slack message in the inbox, through both queues as
// configured in wrangler.toml, and the operations that it costs. Each webhook is alone in its batch, which is the
// slowest and most expensive case.

import { setTimeout as sleep } from "node:timers/promises";
import { startWorkerd, type Workerd } from "../../dev/worker/workerd.ts";
import { type BenchRun, backlogOf, fillKv } from "../bench-run.ts";
import { prepared } from "../load/prepare.ts";
import { ms, type Row } from "../report/report.ts";
import { type CountedStores, startCountedStores } from "../stores/counted-stores.ts";
import { type Counter, startCounter } from "../stores/counter.ts";
import { perEach, takeCounts } from "../stores/operation-counts.ts";
import { createSlackChannel } from "../tenants/channels.ts";
import { createTenants, type RealTenants } from "../tenants/real-tenants.ts";
import type { BenchTenant } from "../tenants/tenants.ts";
import { signedWebhook } from "../tenants/webhooks.ts";

const TARGET_MS = 5_000;

const CROSSING_USD = 412.5;
const QUIET_USD = [50, 60, 70];

/** Far above the target: a longer wait means that something is broken, not slow. */
const TIMEOUT_MS = 30_000;
const POLL_MS = 5;

const GROUP = "Operations per alert and per webhook";

export interface SpendToInbox {
  readonly rows: readonly Row[];
  /** Bursar confirms unconfirmed spend with a read a minute later. Counts that read too. */
  confirmations(): Promise<readonly Row[]>;
  stop(): Promise<void>;
}

interface Scene {
  readonly run: BenchRun;
  readonly workers: readonly Workerd[];
  readonly stores: CountedStores;
  readonly litellm: Counter;
  readonly tenants: readonly BenchTenant[];
}

/** Runs several Workers at once, each with one webhook after the other, because most of the time is waiting. */
export async function spendToInbox(run: BenchRun): Promise<SpendToInbox> {
  const [workers, trials] = run.quick ? [2, 1] : [4, 6];
  const real = await createTenants(run, "inbox", workers * trials);
  const { scene, stop } = await openScene(run, workers, real);
  try {
    await takeCounts(scene);
    const tookMs = await inParallel(scene, (worker, tenants) => playCrossings(run, worker, tenants));
    await untilQuiet(scene);
    const alert = await takeCounts(scene);
    const crossed = scene.tenants.length;
    const quiet = await playQuiet(scene);
    return {
      rows: [
        latencyRow(tookMs),
        {
          group: GROUP,
          name: "an alert: webhook, record, one Slack message",
          figures: perEach(alert, crossed, 1, 2),
        },
        ...quiet,
      ],
      async confirmations() {
        await untilNothingIsDelayed(scene);
        const figures = perEach(await takeCounts(scene), crossed, 1, 2);
        return [{ group: GROUP, name: "+ its confirmation a minute later", figures }];
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openScene(run: BenchRun, count: number, real: RealTenants) {
  const { stack } = run;
  const stores = await startCountedStores({ name: "embedded", stack, redisUrl: null, sessions: 1 });
  const litellm = await startCounter("litellm", stack.litellmUrl);
  const { secrets, vars } = stores.environment;
  const environment = { secrets, vars: { ...vars, LITELLM_URL: litellm.url } };
  const workers: Workerd[] = [];
  const stop = async () => {
    for (const each of [...workers, stores, litellm]) await each.stop();
  };
  try {
    for (let at = 0; at < count; at++) {
      const worker = await startWorkerd({ bundleDir: run.bundles.worker, environment, deliversQueues: true });
      workers.push(worker);
      await fillKv(worker, real.snapshots);
    }
    const [first] = workers;
    for (const { tenantId, virtualKey } of real.tenants) {
      if (first !== undefined) await createSlackChannel(first, `${stack.inbox.url}/slack/${tenantId}`, tenantId);
      // The read a minute later confirms the reported spend.
      stack.litellm?.setSpend(virtualKey, CROSSING_USD);
    }
    const scene: Scene = { run, workers, stores, litellm, tenants: real.tenants };
    return { scene, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs `work` on every Worker at once, each with its share of the tenants. */
async function inParallel<T>(
  { workers, tenants }: Scene,
  work: (worker: Workerd, tenants: readonly BenchTenant[]) => Promise<T[]>,
): Promise<T[]> {
  const shares = workers.map((worker, at) =>
    work(
      worker,
      tenants.filter((_, index) => index % workers.length === at),
    ),
  );
  return (await Promise.all(shares)).flat();
}

async function playCrossings(run: BenchRun, worker: Workerd, tenants: readonly BenchTenant[]): Promise<number[]> {
  const tookMs: number[] = [];
  for (const tenant of tenants) {
    const sentAt = Date.now();
    await sendWebhook(worker, tenant, CROSSING_USD);
    tookMs.push((await slackMessageAt(run, tenant, sentAt)) - sentAt);
  }
  return tookMs;
}

async function slackMessageAt({ stack }: BenchRun, { tenantId }: BenchTenant, sentAt: number): Promise<number> {
  while (Date.now() - sentAt < TIMEOUT_MS) {
    const message = stack.inbox
      .messages({ kind: "slack", accepted: true })
      .find(({ path }) => path === `/slack/${tenantId}`);
    if (message !== undefined) return Date.parse(message.received_at);
    await sleep(POLL_MS);
  }
  throw new Error(`${tenantId}: no Slack message within ${TIMEOUT_MS / 1_000} s`);
}

/** Webhooks that cause no alert: each alone in a batch, then one of every tenant in a batch. */
async function playQuiet(scene: Scene): Promise<Row[]> {
  const { workers, tenants, run } = scene;
  const [worker] = workers;
  const fresh = await createTenants(run, "quiet", tenants.length);
  if (worker === undefined) return [];
  await fillKv(worker, fresh.snapshots);
  // Bursar evaluates the alerts of a tenant's first observation once, at any spend.
  await sendAll(worker, fresh.tenants, 25);
  await untilQuiet(scene);
  await takeCounts(scene);
  const alones = run.quick ? QUIET_USD.slice(0, 1) : QUIET_USD;
  for (const usd of alones) {
    const [tenant] = fresh.tenants;
    if (tenant !== undefined) await sendWebhook(worker, tenant, usd);
    await untilQuiet(scene);
  }
  const alone = perEach(await takeCounts(scene), alones.length, 1_000, 0);
  await sendAll(worker, fresh.tenants, 100);
  await untilQuiet(scene);
  const together = perEach(await takeCounts(scene), fresh.tenants.length, 1_000, 0);
  return [
    { group: GROUP, name: "1,000 webhooks without an alert, each alone", figures: alone },
    { group: GROUP, name: `1,000 without an alert, ${fresh.tenants.length} tenants a batch`, figures: together },
  ];
}

async function sendAll(worker: Workerd, tenants: readonly BenchTenant[], usd: number): Promise<void> {
  await Promise.all(tenants.map((tenant) => sendWebhook(worker, tenant, usd)));
}

async function sendWebhook({ url }: Workerd, tenant: BenchTenant, usd: number): Promise<void> {
  const { method, path, headers, body } = prepared(signedWebhook(tenant, usd, "x_litellm_signature"));
  const response = await fetch(url + path, { method, headers, ...(body !== undefined && { body }) });
  if (response.status !== 200) throw new Error(`webhook: ${response.status} ${await response.text()}`);
}

async function untilQuiet({ workers }: Scene): Promise<void> {
  for (const worker of workers) {
    for (const queue of ["SPEND_QUEUE", "NOTICES_QUEUE"]) {
      while ((await backlogOf(worker, queue)).messages > 0) await sleep(20);
    }
  }
}

/** A read may schedule another read, so both the delayed and the due messages must be gone. */
async function untilNothingIsDelayed(scene: Scene): Promise<void> {
  for (const worker of scene.workers) {
    for (let isOver = false; !isOver; await sleep(POLL_MS)) {
      const { delayed, messages } = await backlogOf(worker, "SPEND_QUEUE");
      isOver = delayed + messages === 0;
    }
  }
  await untilQuiet(scene);
}

function latencyRow(tookMs: readonly number[]): Row {
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0;
  return {
    group: "From a signed webhook that crosses 80 % to its Slack message",
    name: "batches wait 1 s on either queue",
    figures: { "p50 ms": ms(at(0.5)), "p95 ms": ms(at(0.95)), "max ms": ms(at(1)), alerts: String(sorted.length) },
    target: { text: `p95 <= ${TARGET_MS} ms`, met: at(0.95) <= TARGET_MS },
  };
}
