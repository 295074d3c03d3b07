// Case: two concurrent sweeps reconcile thousands of tenants, and the built Worker's consumers read them. Checks that
// every tenant is read exactly once, and counts the operations.

import pg from "pg";
import { startPart } from "../../dev/part.ts";
import type { Workerd } from "../../dev/worker/workerd.ts";
import { openDatabase } from "../../src/adapters/postgres/client.ts";
import { postgresReadLeases } from "../../src/adapters/postgres/read-leases.ts";
import { leaseReads } from "../../src/flows/spend/lease-reads.ts";
import type { SpendMessage } from "../../src/ports/messages.ts";
import { type BenchRun, backlogOf, withWorker } from "../bench-run.ts";
import type { Row } from "../report/report.ts";
import { type Backend, startCountedStores } from "../stores/counted-stores.ts";
import { type OperationCounts, perEach, takeCounts } from "../stores/operation-counts.ts";
import { insertTenants } from "../tenants/real-tenants.ts";
import { type BenchTenant, generatedTenants, keyHashOf } from "../tenants/tenants.ts";

const TENANTS = 5_000;
const QUICK_TENANTS = 500;

/** Of every 100 tenants, how many spend between two reads, and how many cross 80 %. */
const SPENT = 10;
const CROSSED = 1;

/** No tenant has known spend. That costs as much as an hour in which every period ends. */
const NEW = "without known spend";
const LATER = "an hour later";

/** The embedded LiteLLM answers about a hundred requests a second. */
const AT_ONCE = 20;

/** The sweep spaces its messages by 3 s. About 1 s suffices to give each message its own batch. */
const APART_SECONDS = 1.1;

/** How often the backlog is polled. The queue takes a second to fill a batch. */
const POLL_MS = 100;
const TIMEOUT_MS = 300_000;

export async function reconcile(run: BenchRun, backend: Backend): Promise<Row[]> {
  const tenants = generatedTenants(run.quick ? QUICK_TENANTS : TENANTS);
  const { stack } = backend;
  await insertTenants({ ...run, stack }, tenants);
  await createKeys(backend, tenants);
  const litellm = await startKeyCounter(stack.litellmUrl);
  const stores = await startCountedStores(backend);
  const { secrets, vars } = stores.environment;
  const environment = { secrets, vars: { ...vars, LITELLM_URL: litellm.url } };
  const play = async (worker: Workerd): Promise<Row[]> => {
    const sweep = sweepOf(worker, secrets["DATABASE_URL"] ?? "", vars["NEON_ENDPOINT"] ?? "");
    const rows: Row[] = [];
    for (const round of [NEW, LATER]) {
      if (round === LATER) await letAnHourPass(backend, tenants);
      litellm.take();
      await takeCounts({ workers: [worker], stores, litellm });
      const seconds = await untilAllAreRead(worker, sweep);
      const counts = await takeCounts({ workers: [worker], stores, litellm });
      await refuseOmissions(backend, tenants, litellm.take());
      rows.push(toRow(backend, round, { tenants: tenants.length, seconds, counts }));
    }
    return rows;
  };
  try {
    return await withWorker({ ...run, stack }, play, environment, { deliversQueues: true });
  } finally {
    await stores.stop();
    await litellm.stop();
  }
}

/** Creates the keys in LiteLLM as a finished sync leaves them, so that no read starts a sync. */
async function createKeys({ stack }: Backend, tenants: readonly BenchTenant[]): Promise<void> {
  const waiting = tenants.values();
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    for (const { tenantId, virtualKey } of waiting) {
      const body = {
        ...{ key: virtualKey, max_budget: 550, budget_duration: "30d", metadata: { tenant_id: tenantId } },
      };
      const response = await fetch(`${stack.litellmUrl}/key/generate`, {
        method: "POST",
        headers: { authorization: `Bearer ${stack.litellmMasterKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`key of ${tenantId}: ${response.status} ${await response.text()}`);
    }
  });
  await Promise.all(lanes);
}

/** LiteLLM behind a proxy that records which keys are read. */
async function startKeyCounter(target: string) {
  let keys: string[] = [];
  let reads = 0;
  const part = await startPart({
    name: "LiteLLM counter",
    port: 0,
    portVariable: "none",
    async handler(request) {
      reads++;
      const { pathname, search } = new URL(request.url);
      const body = request.method === "GET" ? null : await request.text();
      if (pathname === "/v2/key/info") keys.push(...(JSON.parse(body ?? "{}") as { keys: string[] }).keys);
      const headers = { authorization: request.headers.get("authorization") ?? "", "content-type": "application/json" };
      const init = { method: request.method, headers, ...(body !== null && { body }) };
      const answer = await fetch(`${target}${pathname}${search}`, init);
      return new Response(await answer.arrayBuffer(), { status: answer.status });
    },
  });
  return {
    url: part.url,
    count: () => reads,
    reset() {
      reads = 0;
    },
    /** The keys that were read since the previous call, with repetitions. */
    take() {
      const taken = keys;
      keys = [];
      return taken;
    },
    stop: () => part.stop(),
  };
}

/** Runs the sweep's own flow on the Worker's Postgres and queue. Returns how many messages it sent. */
function sweepOf(worker: Workerd, url: string, endpoint: string): () => Promise<number> {
  const readLeases = postgresReadLeases(openDatabase({ url, endpoint, timeoutMs: 10_000, patientTimeoutMs: 10_000 }));
  return async () => {
    let sent = 0;
    const sendAll = async (messages: readonly SpendMessage[]) => {
      sent += messages.length;
      const batch = messages.map((message, index) => ({
        ...{ contentType: "json", body: btoa(JSON.stringify(message)), delaySecs: index * APART_SECONDS },
      }));
      const body = JSON.stringify({ messages: batch });
      const response = await fetch(`${worker.services["SPEND_QUEUE"]}/batch`, { method: "POST", body });
      if (!response.ok) throw new Error(`the queue answered ${response.status}`);
    };
    const spendQueue = { send: (message: SpendMessage) => sendAll([message]), sendAll };
    await leaseReads({ now: Date.now() }, { readLeases, spendQueue });
    return sent;
  };
}

async function untilAllAreRead(worker: Workerd, sweep: () => Promise<number>): Promise<number> {
  const startedAt = performance.now();
  for (let sent = 1; sent > 0; ) {
    const [one, two] = await Promise.all([sweep(), sweep()]);
    sent = one + two;
    await untilEmpty(worker, startedAt);
  }
  return (performance.now() - startedAt) / 1_000;
}

async function untilEmpty(worker: Workerd, startedAt: number): Promise<void> {
  for (;;) {
    const { messages, delayed, dead } = await backlogOf(worker, "SPEND_QUEUE");
    if (dead > 0) throw new Error(`${dead} dead letters`);
    if (messages + delayed === 0) return;
    if (performance.now() - startedAt > TIMEOUT_MS)
      throw new Error(`${messages} messages are left\n${worker.output()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function letAnHourPass(backend: Backend, tenants: readonly BenchTenant[]): Promise<void> {
  for (const [index, { virtualKey }] of tenants.entries()) {
    if (index % 100 >= SPENT) continue;
    backend.stack.litellm?.setSpend(virtualKey, index % 100 < CROSSED ? 410 : 20);
  }
  await query(
    backend,
    "update tenant_spend set read_at = read_at - interval '1 hour', observed_at = observed_at - interval '1 hour'",
  );
}

/** @throws Error when a tenant was not read, was read twice, is still leased or lacks its alert. */
async function refuseOmissions(backend: Backend, tenants: readonly BenchTenant[], read: readonly string[]) {
  const wanted = tenants.map(keyHashOf).sort();
  const found = [...read].sort();
  const differs = found.length !== wanted.length || wanted.some((hash, index) => hash !== found[index]);
  if (differs) throw new Error(`of ${wanted.length} tenants ${new Set(found).size} were read, ${found.length} times`);
  const [left] = await query<{ unread: number; leased: number; uncrossed: number }>(
    backend,
    `select count(*) filter (where s.read_at is null or s.read_at < now() - interval '45 minutes')::int as unread,
       count(*) filter (where t.read_leased_until is not null)::int as leased,
       count(*) filter (where s.spend >= 400 and not exists (select from budget_alert_history a
         where a.tenant_id = t.tenant_id))::int as uncrossed
     from tenant_configs t left join tenant_spend s on s.tenant_id = t.tenant_id where t.tenant_id like 'bench-%'`,
  );
  const isWhole = left?.unread === 0 && left.leased === 0 && left.uncrossed === 0;
  if (!isWhole) throw new Error(`not reconciled: ${JSON.stringify(left)}`);
}

async function query<R extends pg.QueryResultRow>({ stack }: Backend, text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: stack.postgres.databaseUrl });
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

interface Played {
  readonly tenants: number;
  readonly seconds: number;
  readonly counts: OperationCounts;
}

function toRow({ name }: Backend, round: string, { tenants, seconds, counts }: Played): Row {
  const perHour = (tenants / seconds) * 3_600;
  return {
    group: `Reconciling ${tenants} tenants; operations per 1,000 tenants`,
    name: `${name}, ${round}`,
    figures: {
      s: seconds.toFixed(1),
      "tenants an hour": `${Math.floor(perHour / 1_000)}k`,
      ...perEach(counts, tenants, 1_000, 1),
    },
    target: { text: "≥ 100,000 tenants an hour", met: perHour >= 100_000 },
  };
}
