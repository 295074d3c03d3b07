// Case: what the triggers that keep the tenants' states cost when calls are counted. `recordSpend` records full batches
// with and without them, in alternating rounds that are rolled back. The time is that of its statements in Postgres.

import { randomUUID } from "node:crypto";
import { IsolateMemory } from "../../src/adapters/cloudflare/isolate-memory.ts";
import { realTimers } from "../../src/adapters/cloudflare/timers.ts";
import type { Database } from "../../src/adapters/postgres/client.ts";
import type { KeyHash } from "../../src/budget/tenant.ts";
import { recordSpend } from "../../src/flows/spend/record-spend.ts";
import { callsMessage } from "../../src/ports/messages.ts";
import { portsOn } from "../../test/plans/cases.ts";
import { incomingOf } from "../../test/support/builders/builders.ts";
import { plainCipher } from "../../test/support/builders/plain-cipher.ts";
import { FakeClaims } from "../../test/support/fakes/fake-claims.ts";
import { FakeLiteLlm } from "../../test/support/fakes/fake-litellm.ts";
import { FakeNoticeQueue } from "../../test/support/fakes/fake-notice-queue.ts";
import { FakeSnapshots } from "../../test/support/fakes/fake-snapshots.ts";
import { FakeSpendQueue } from "../../test/support/fakes/fake-spend-queue.ts";
import { RecordedLog } from "../../test/support/fakes/recorded-log.ts";
import { POLICY } from "../../test/support/worlds/check-world.ts";
import { ms, type Row } from "../report/report.ts";
import { median } from "../rounds.ts";
import type { Filled } from "./filled.ts";

/** The queue's `max_batch_size`, each message with a call of another tenant. */
const BATCH = 100;

const ROUNDS = 15;

/** Two hundredths of a percent of the limit of $500, so that the place of every tenant changes. */
const COST = "0.10";

const TABLES = ["tenant_configs", "tenant_spend", "budget_overrides"];

export async function stateTriggers({ client, recorder }: Filled): Promise<Row[]> {
  const keys = await keysWithinBudget(client);
  const costs: Record<"with" | "without", number[]> = { with: [], without: [] };
  try {
    for (let round = -1; round < ROUNDS; round++) {
      for (const triggers of ["with", "without"] as const) {
        for (const table of TABLES) {
          await client.query(`alter table ${table} ${triggers === "with" ? "enable" : "disable"} trigger user`);
        }
        const plans = await recorder.plansOf(() => recordBatch(keys, depsOn(recorder.database)));
        const total = plans.reduce((sum, plan) => sum + plan.ms, 0);
        if (round >= 0) costs[triggers].push(total);
      }
    }
  } finally {
    for (const table of TABLES) await client.query(`alter table ${table} enable trigger user`);
  }
  const ratio = median(costs.with.map((each, round) => each / (costs.without[round] ?? each)));
  return (["with", "without"] as const).map((triggers) => ({
    group: `recordSpend in Postgres, a batch of ${BATCH} calls of as many tenants`,
    name: `${triggers} the triggers of the states`,
    figures: {
      "p50 ms": ms(median(costs[triggers])),
      ...(triggers === "with" && { ratio: ratio.toFixed(2) }),
    },
  }));
}

/** Far enough from a threshold that no round crosses one. */
async function keysWithinBudget(client: Filled["client"]): Promise<KeyHash[]> {
  const { rows } = await client.query<{ id: KeyHash }>(
    `select c.subject_id as id from tenant_configs c join tenant_spend s on s.tenant_id = c.tenant_id
     where c.subject_kind = 'key' and c.deleted_at is null and s.spend between 100 and 200 limit ${BATCH}`,
  );
  return rows.map(({ id }) => id);
}

type Deps = ReturnType<typeof depsOn>;

function depsOn(database: Database) {
  const snapshots = new FakeSnapshots();
  return {
    ...portsOn(database),
    snapshots,
    litellm: new FakeLiteLlm(realTimers, Date.now),
    memory: new IsolateMemory(),
    claims: new FakeClaims(),
    spendQueue: new FakeSpendQueue(),
    noticeQueue: new FakeNoticeQueue(),
    cipher: plainCipher,
    policy: POLICY,
    timers: realTimers,
    background: (_what: string, work: Promise<unknown>) => void work.catch(() => {}),
    log: new RecordedLog(),
  };
}

async function recordBatch(keys: readonly KeyHash[], deps: Deps): Promise<void> {
  const now = Date.now();
  const incoming = keys.map((key) => {
    const call = {
      key_hash: key,
      team_id: null,
      id: randomUUID().replaceAll("-", ""),
      started_at: now,
      ended_at: now,
      cost: COST,
    };
    return incomingOf(callsMessage({ calls: [call], hints: [] }, now), { messageId: call.id });
  });
  const failed = await recordSpend({ incoming, now }, deps);
  if (failed.size > 0) throw new Error(`${failed.size} messages failed\n${deps.log.lines.at(-1)}`);
}
