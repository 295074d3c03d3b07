// Case: the time until Bursar accepts LiteLLM's webhook, beside a bare route with one HMAC and one queue send.

import type { Workerd } from "../../dev/worker/workerd.ts";
import { type BenchRun, countsOf, type Servers, withBaseline } from "../bench-run.ts";
import type { LoadJob, LoadRequest } from "../load/job.ts";
import { latencyCells, type Row } from "../report/report.ts";
import { type Contender, type Figures, playRounds } from "../rounds.ts";
import { type BenchTenant, generatedTenants } from "../tenants/tenants.ts";
import { callEvents, signedWebhook, stockWebhook } from "../tenants/webhooks.ts";

const TARGET = 1.5;
const TARGET_MS = 100;

const BARE = "bare route: HMAC, queue send";
const EVENTS = "batch of 50 call events";

/** More than a round can send, so that no webhook is sent twice. */
const ROUND_REQUESTS = 5_000;
const ROUND_SECONDS = 0.7;

/** As many calls as one queue message carries. */
const CALLS_PER_BATCH = 50;

export function webhookLatency(run: BenchRun): Promise<Row[]> {
  return withBaseline(run, async (servers) => {
    const rows: Row[] = [];
    for (const connections of run.quick ? [1] : [1, 100]) {
      const figures = await playRounds(run.load, contenders(servers, connections), run.quick ? 1 : 5);
      rows.push(...[...figures].map(([name, each]) => toRow(name, each, connections)));
    }
    return rows;
  });
}

function contenders({ baseline, worker }: Servers, connections: number): Contender[] {
  const tenants = generatedTenants(ROUND_REQUESTS);
  const webhooks = (make: (tenant: BenchTenant) => LoadRequest) => tenants.map(make);
  const bare = tenants.map((tenant) => ({ ...signedWebhook(tenant, 1, "x_litellm_signature"), path: "/webhook" }));
  const batches = [callEvents(tenants.slice(0, CALLS_PER_BATCH))];
  const contender = (name: string, server: Workerd, requests: readonly LoadRequest[]): Contender => ({
    name,
    baseline: BARE,
    job: (): LoadJob => ({ url: server.url, connections, seconds: ROUND_SECONDS, requests }),
    after: ({ count }) => refuseUnsent(name, server, count),
  });
  return [
    contender(BARE, baseline, bare),
    contender(
      "X-LiteLLM-Signature",
      worker,
      webhooks((tenant) => signedWebhook(tenant, 1, "x_litellm_signature")),
    ),
    contender(
      "Standard Webhooks",
      worker,
      webhooks((tenant) => signedWebhook(tenant, 1, "standard_webhooks")),
    ),
    contender(
      "token in the URL",
      worker,
      webhooks((tenant) => stockWebhook(tenant, 1)),
    ),
    // 100 of these batches at once are 19 MB of JSON, so the first answer would arrive after the round.
    ...(connections === 1 ? [contender(EVENTS, worker, batches)] : []),
  ];
}

/** A 200 counts as accepted only if the message is on the queue. */
async function refuseUnsent(name: string, server: Workerd, expected: number): Promise<void> {
  const { messages } = await countsOf<{ messages: number }>(server, "SPEND_QUEUE", true);
  if (messages < expected) throw new Error(`${name}: only ${messages} of ${expected} messages are on the queue`);
}

function toRow(name: string, figures: Figures, connections: number): Row {
  const hasTarget = name !== BARE && name !== EVENTS;
  return {
    group: `Webhook accepted, ${connections} at a time`,
    name,
    figures: latencyCells(figures),
    ...(hasTarget && {
      target: {
        text: `p95 <= ${TARGET}x, < ${TARGET_MS} ms`,
        met: figures.p95Ratio <= TARGET && figures.p95Ms < TARGET_MS,
      },
    }),
  };
}
