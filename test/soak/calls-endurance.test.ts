// Many calls through consumers that die at random, in batches that are regrouped and sent again: in the end every
// tenant's spend is the plain sum of its calls, each counted once.

import { expect, it } from "vitest";
import { decimalFromNanoUsd } from "../../src/budget/money.ts";
import { recordSpend } from "../../src/flows/spend/record-spend.ts";
import { callsMessage, type QueuedCall, type SpendMessage } from "../../src/ports/messages.ts";
import { aLedger, MINUTE, NOW, SECOND, usd } from "../budget/builders.ts";
import { aNewTenant, anActor, hashOf, idOf, incomingOf } from "../support/builders/builders.ts";
import { countFrom } from "../support/builders/count-from.ts";
import { SeededRandom } from "../support/builders/seeded-random.ts";
import { killedAfter } from "../support/faults/killed-after.ts";
import { useAdminWorld } from "../support/worlds/admin-world.ts";

/** `npm run soak` plays 10,000. */
const CALLS = countFrom("SOAK_CALLS", 1_000);
const CALLS_PER_MESSAGE = 20;
const MESSAGES_PER_BATCH = 4;

const OUTSIDE = ["tenants", "ledgers", "spendBatches", "alerts", "snapshots", "spendQueue", "noticeQueue"] as const;

/** Keys of teams that are tenants, and keys that are tenants themselves inside such a team. */
const KEYS = ["a", "b", "c", "d", "e", "f"].map(hashOf);
const TEAMS = ["red", "blue"];

const { world, deps } = useAdminWorld();

function someCall(number: number, random: SeededRandom): QueuedCall {
  return {
    id: number.toString(16).padStart(32, "0"),
    key_hash: random.pick(KEYS),
    team_id: random.pick([...TEAMS, null]),
    started_at: NOW,
    ended_at: NOW + random.below(20 * MINUTE) + 4 * SECOND,
    cost: decimalFromNanoUsd(BigInt(1 + random.below(10 ** 9))),
  };
}

/** Each call in one to three messages, each time with other calls beside it, and all messages shuffled. */
function messagesOf(calls: readonly QueuedCall[], random: SeededRandom): SpendMessage[] {
  const copies = random.shuffled(calls.flatMap((call) => Array.from({ length: 1 + random.below(3) }, () => call)));
  return Array.from({ length: Math.ceil(copies.length / CALLS_PER_MESSAGE) }, (_, index) =>
    callsMessage({ calls: copies.slice(index * CALLS_PER_MESSAGE, (index + 1) * CALLS_PER_MESSAGE), hints: [] }, NOW),
  );
}

async function createTenants(): Promise<void> {
  const subjects = [
    ...KEYS.slice(0, 4).map((id) => ({ kind: "key", id }) as const),
    ...TEAMS.map((id) => ({ kind: "team", id }) as const),
  ];
  for (const subject of subjects) {
    const spend = aLedger({ spendNanoUsd: usd("7"), periodStartedAt: NOW });
    const maxBudgetNanoUsd = usd("1000000");
    const tenant = aNewTenant({ tenantId: idOf(`of-${subject.id.slice(0, 4)}`), subject, spend, maxBudgetNanoUsd });
    await deps.tenants.create(tenant, anActor());
  }
}

it("counts every call once, whatever dies and however often it is sent", { timeout: 30 * MINUTE }, async () => {
  const random = new SeededRandom(41);
  await createTenants();
  const calls = Array.from({ length: CALLS }, (_, number) => someCall(number, random));
  let waiting = messagesOf(calls, random).map((message, index) => incomingOf(message, { messageId: `m${index}` }));
  world.now = NOW + 20 * MINUTE;
  let deaths = 0;
  while (waiting.length > 0) {
    const batch = waiting.slice(0, MESSAGES_PER_BATCH);
    const isDying = random.chance(0.4);
    const { ports } = killedAfter({ ...deps }, OUTSIDE, isDying ? random.below(6) : Number.POSITIVE_INFINITY);
    const failed = await recordSpend({ incoming: batch, now: world.now }, ports).catch(() => new Set(batch));
    if (failed.size > 0) deaths++;
    const again = [...failed].map((message) => ({ ...message, isRedelivery: true }));
    waiting = [...waiting.slice(MESSAGES_PER_BATCH), ...random.shuffled(again)];
  }
  expect(deaths).toBeGreaterThan(CALLS / 200);

  const sums = new Map<string, bigint>();
  for (const { key_hash: keyHash, team_id: teamId, cost } of calls) {
    for (const id of [keyHash, teamId]) if (id !== null) sums.set(id, (sums.get(id) ?? usd("7")) + usd(cost));
  }
  const rows = await world.db.query<{ id: string; spend: string }>(
    "select t.subject_id as id, s.spend from tenant_configs t join tenant_spend s using (tenant_id)",
  );
  expect(rows).toHaveLength(6);
  for (const { id, spend } of rows) expect([id, usd(spend)]).toEqual([id, sums.get(id)]);
});
