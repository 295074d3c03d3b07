// A consumer that dies after any step and gets the same messages again has the same result as an undisturbed one: the
// same spend, alerts, deliveries and audit in Postgres, the same snapshots, the same queued notices and reads.

import { expect, it } from "vitest";
import type { Incoming } from "../../../src/flows/spend/merge-batch.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { killedAfter } from "../../support/faults/killed-after.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const OUTSIDE = [
  "tenants",
  "spendBatches",
  "ledgers",
  "alerts",
  "litellm",
  "claims",
  "snapshots",
  "spendQueue",
  "noticeQueue",
] as const;
const ADOPTED_KEY = "sk-adopted-by-globex";
const key = sha256(VIRTUAL_KEY);
const adoptedKey = sha256(ADOPTED_KEY);
const { world, deps, renewDeps } = useAdminWorld();

/** A webhook that was recorded before the batch. */
const earlier = aWebhook(key, "120", { webhook_id: "msg_0" });

/**
 * A crossing that webhooks announce, one by calls, a hint, a due confirmation, an adopted tenant's baseline and
 * unmatched reports, with ids and without, and copies of reports in the batch and of reports recorded earlier.
 */
const messages: readonly SpendMessage[] = [
  earlier,
  aWebhook(key, "410"),
  aWebhook(key, "410", { webhook_id: "msg_1" }),
  aWebhook(key, "410", { webhook_id: "msg_1" }),
  aWebhook(key, "560", { event: "budget_crossed", webhook_id: "msg_2" }),
  aWebhook(adoptedKey, "0.3", { event: "spend_tracked", event_group: "end_user" }),
  aCall(adoptedKey, "3.5", { id: "c".repeat(32) }),
  aWebhook(adoptedKey, null, { auth: "url_token" }),
  aWebhook(hashOf("f"), "1", { webhook_id: "msg_3" }),
  aWebhook(hashOf("f"), "1", { webhook_id: "msg_3" }),
  { kind: "read_due", tenant_id: "globex", subject_id: adoptedKey, reason: "confirm" },
  { kind: "rewrite_config", tenant_id: "acme" },
];

/**
 * Restores the initial state in a new isolate: acme with $500, and globex, which was adopted at 85 percent of $20.
 */
async function begin(): Promise<void> {
  await world.db.empty();
  await world.begin();
  renewDeps();
  world.now = NOW - MINUTE;
  await createTenant(ownKeyInput(), deps);
  await world.manage("POST", "/key/generate", { key: ADOPTED_KEY, max_budget: 22, budget_duration: "30d" });
  world.litellm.setSpend(adoptedKey, 17);
  const origin = { kind: "adopted", subject: { kind: "key", id: adoptedKey } } as const;
  const settings = { maxBudgetNanoUsd: usd("20") };
  await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin, settings }), deps);
  await world.db.query("delete from notification_channels");
  await world.db.query(`insert into notification_channels (id, tenant_id, kind, name, sealed_target) values
    ('11111111-1111-4111-8111-111111111111', 'acme', 'slack', 'ours', 's'),
    ('22222222-2222-4222-8222-222222222222', null, 'email', 'platform', 's')`);
  world.now = NOW - 30 * SECOND;
  world.litellm.setSpend(key, 120);
  await recordSpend({ incoming: [incomingOf(earlier, { messageId: "m-earlier" })], now: world.now }, deps);
  world.now = NOW;
  world.litellm.setSpend(key, 560);
  deps.claims.reads.clear();
  deps.spendQueue.sent.length = 0;
}

const deliver = (ports: typeof deps, isRedelivery: boolean) => {
  const incoming = messages.map((each, index): Incoming => incomingOf(each, { messageId: `m${index}`, isRedelivery }));
  return recordSpend({ incoming, now: world.now }, ports);
};

const STATE = {
  alerts: `select tenant_id, identity, event_type, threshold, spend, limit_amount, percentage, silent, created_at
    from budget_alert_history order by identity`,
  deliveries: `select a.identity, d.channel_id, d.status, d.attempts from notice_deliveries d
    join budget_alert_history a on a.id = d.alert_id order by 1, 2`,
  spend: "select * from tenant_spend order by tenant_id",
  audit: `select l.actor, l.action, l.tenant_id, l.detail - 'alert_id' as detail, coalesce(a.identity, l.source_id) as source
    from audit_log l left join budget_alert_history a on l.source_id = 'alert/' || a.id
    where l.source_id is not null and l.source_id not like 'operation/%' order by source`,
};

/** The result of a run in a form that two equal runs share: without random ids, each notice and read once. */
async function dump() {
  const tables: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(STATE)) tables[name] = await world.db.query(query);
  const ids = await world.db.query<{ id: string; identity: string }>("select id, identity from budget_alert_history");
  const identityOf = new Map(ids.map(({ id, identity }) => [id, identity]));
  const notices = deps.noticeQueue.sent.map((each) => `${identityOf.get(each.alert_id)} to ${each.channel_id}`);
  return {
    ...tables,
    notices: [...new Set(notices)].sort(),
    queued: [...new Set(deps.spendQueue.sent.map((each) => JSON.stringify(each)))].sort(),
    // A repeated batch may publish a copy after its read that the first run had no reason to write.
    snapshots: [...deps.snapshots.spends]
      .map(([tenantId, { readAt: _, spendRateNanoUsdPerSecond: __, ...copy }]) => [tenantId, copy])
      .sort(),
  };
}

it("after each step in turn", { timeout: 5 * MINUTE }, async () => {
  await begin();
  const undisturbed = killedAfter({ ...deps }, OUTSIDE, Number.POSITIVE_INFINITY);
  expect(await deliver(undisturbed.ports, false)).toEqual(new Set());
  const wanted = await dump();
  expect(wanted).toMatchObject({ notices: { length: 3 }, alerts: { length: 5 } });

  const steps = undisturbed.calls();
  expect(steps).toBeGreaterThan(20);
  for (let last = 0; last < steps; last++) {
    await begin();
    const dying = killedAfter({ ...deps }, OUTSIDE, last);
    await deliver(dying.ports, false).catch(() => "died");
    // The isolate's memory is lost. The dead consumer's claim in Redis ends only by expiring.
    deps.memory = new (deps.memory.constructor as new () => typeof deps.memory)();
    deps.claims.reads.clear();
    expect(await deliver(deps, true), `after step ${last}`).toEqual(new Set());
    expect(await dump(), `after step ${last}`).toEqual(wanted);
  }
});
