// A tenant that cannot be read or counted: its messages are redelivered, those of the other tenants are done with.

import { beforeEach, expect, it } from "vitest";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { endOverrides } from "../../../src/flows/overrides/end-overrides.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { callsMessage, type QueuedCall, type SpendMessage, syncMessage } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { SECOND, usd } from "../../budget/builders.ts";
import { idOf, incomingOf } from "../../support/builders/builders.ts";
import { AFTER_READS, aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { HOUR, START, useReconcileWorld } from "../../support/worlds/reconcile-world.ts";

const { world, deps, key, spendOf, sweepAndReconcile, addTenant } = useReconcileWorld();
const broken = sha256("sk-globex-0123456789abcdef");

beforeEach(async () => {
  await addTenant("globex");
  deps.log.lines.length = 0;
});

const breakRow = () => world.db.query("update tenant_configs set prior_values = '[]' where tenant_id = 'globex'");
const incoming = (...messages: SpendMessage[]) =>
  messages.map((message, index) => incomingOf(message, { messageId: `m${index}` }));
const callOf = (keyHash: string, cost: string): QueuedCall => {
  const message = aCall(keyHash, cost, { endedAt: START + 10 * SECOND });
  const [call] = message.kind === "calls" && "calls" in message ? message.calls : [];
  if (call === undefined) throw new Error("no call");
  return call;
};
const callsOf = (...calls: QueuedCall[]) => callsMessage({ calls, hints: [] }, AFTER_READS);
const record = (messages: ReturnType<typeof incoming>) => recordSpend({ incoming: messages, now: START }, deps);

it("redelivers only the messages of a tenant whose row cannot be read, and logs the tenant", async () => {
  await breakRow();
  const messages = incoming(callsOf(callOf(broken, "1")), aWebhook(broken, "1"), callsOf(callOf(key, "3")));
  expect([...(await record(messages))]).toEqual(messages.slice(0, 2));
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("3") });
  expect(deps.log.lines).toEqual([
    expect.stringMatching(/^error spend messages failed {"tenant_id":"globex","messages":2} .*prior_values/s),
  ]);
});

it("counts a readable tenant's calls of a message that it shares with an unreadable one", async () => {
  await breakRow();
  const shared = incoming(callsOf(callOf(broken, "1"), callOf(key, "3")));
  expect([...(await record(shared))]).toEqual(shared);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("3") });
  await world.db.query("update tenant_configs set prior_values = null where tenant_id = 'globex'");
  expect([...(await record(shared))]).toEqual([]);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("3") });
  expect(await spendOf("globex")).toMatchObject({ spendNanoUsd: usd("1") });
});

it("redelivers only the messages of a tenant whose amounts Postgres refuses", async () => {
  const huge = "600000000000000";
  const messages = incoming(callsOf(callOf(broken, huge), callOf(broken, huge)), callsOf(callOf(key, "3")));
  expect([...(await record(messages))]).toEqual([messages[0]]);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("3") });
  expect(deps.log.lines).toEqual([
    expect.stringMatching(/^error spend messages failed {"tenant_id":"globex".*overflow/s),
  ]);
});

it("reconciles the others when one row cannot be read, and logs its tenant", async () => {
  world.litellm.setSpend(key, 50);
  await breakRow();
  world.now += HOUR;
  await sweepAndReconcile();
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("50") });
  expect(deps.log.lines).toEqual([expect.stringMatching(/^error tenant reconcile failed {"tenant_id":"globex"}/)]);
});

it("reconciles the others when one ledger cannot be read, and logs its tenant", async () => {
  world.litellm.setSpend(key, 50);
  await world.db.query(
    "update tenant_spend set doubt_at = 'infinity', doubt_spend = 1, doubt_value = 1 where tenant_id = 'globex'",
  );
  world.now += HOUR;
  await sweepAndReconcile();
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("50"), readAt: world.now });
  expect(deps.log.lines).toEqual([expect.stringMatching(/^error tenant reconcile failed {"tenant_id":"globex"}/)]);
});

it("ends the overrides of the others when one override cannot be read, and logs its tenant", async () => {
  const grant = (tenantId: string, createdAt: string) =>
    world.db.query(
      `insert into budget_overrides (id, tenant_id, override_amount, expires_at, reason, created_by, created_at)
        values (gen_random_uuid(), $1, 5, $2, 'a', 'b', $3)`,
      [tenantId, new Date(START - SECOND), createdAt],
    );
  await grant("globex", "-infinity");
  await grant("acme", "2026-11-01");
  deps.spendQueue.sent.length = 0;
  await endOverrides({ now: START }, deps);
  expect(deps.spendQueue.sent.map(({ message }) => message)).toContainEqual(syncMessage(idOf("acme")));
  expect(deps.log.lines).toContainEqual(expect.stringMatching(/^error override unreadable {"tenant_id":"globex"}/));
});

it("throws an outage between the reads and their recording, and blames no tenant", async () => {
  world.now += HOUR;
  deps.ledgers.load = () => Promise.reject(new Outage("postgres", "cannot be reached", null));
  await expect(sweepAndReconcile()).rejects.toThrow(Outage);
});

it("handles the config of a tenant whose reports could not be counted", async () => {
  const other = idOf("initech");
  const origin = { kind: "own_key", virtualKey: "sk-initech", keyHash: sha256("sk-initech") } as const;
  await createTenant({ ...ownKeyInput({ tenantId: other }), origin }, deps);
  deps.snapshots.configs.delete(other);
  const huge = callOf(sha256("sk-initech"), "600000000000000");
  const messages = incoming(callsOf(huge, { ...huge, id: "f".repeat(32) }), {
    kind: "rewrite_config",
    tenant_id: "initech",
  });
  expect((await record(messages)).size).toBe(2);
  expect(deps.snapshots.configs.get(other)).toBeDefined();
});

it("announces the changes of other tenants when a row of one cannot be read", async () => {
  const cause = new Error("bad row");
  deps.alerts.listUnannounced = async (_audited, _limit, onFault) => {
    onFault?.({ tenantId: idOf("globex"), cause });
    return [];
  };
  await announceChanges({ now: START }, deps);
  expect(deps.log.lines).toEqual(['error change unreadable {"tenant_id":"globex"} Error: bad row']);
});
