// Webhooks in the audit: one line for an hour of them, which counts each webhook once.

import { expect, it } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const key = sha256(VIRTUAL_KEY);
const { world, deps } = useSpendWorld();

const deliver = (messages: readonly (readonly [string, SpendMessage])[], isRedelivery = false) =>
  recordSpend(
    { incoming: messages.map(([messageId, body]) => incomingOf(body, { messageId, isRedelivery })), now: world.now },
    deps,
  );
const lines = async () =>
  (
    await world.db.query<{ action: string; detail: Record<string, unknown> }>(
      "select action, detail from audit_log where action in ('webhook_received', 'webhook_unmatched', 'spend_tracked') order by id",
    )
  ).map(({ action, detail }) => [action, detail["event"], detail["count"], detail["spend"] ?? detail["cost"] ?? null]);
const stock = { auth: "url_token", door: "url_token", webhook_id: null } as const;
const hint = (at: number, spend = "410", event = "soft_budget_crossed", of: string = key) =>
  aWebhook(of, spend, { ...stock, event, sent_at: at, received_at: at });

it("writes one line an hour for a tenant whose alert LiteLLM repeats every fifteen seconds", async () => {
  for (let index = 0; index < 4; index++) {
    world.now = NOW + index * 15 * SECOND;
    await deliver([[`a${index}`, hint(world.now, String(410 + index))]]);
  }
  expect(await lines()).toEqual([["webhook_received", "soft_budget_crossed", 4, "413"]]);
  world.now = NOW + 60 * MINUTE;
  await deliver([["next", hint(world.now)]]);
  expect(await lines()).toHaveLength(2);
});

it("counts a webhook once, in whatever batches the queue delivers it again", async () => {
  const cost = (id: string): [string, SpendMessage] => [id, hint(NOW, "0.25", "spend_tracked")];
  await deliver([cost("m1"), cost("m2"), cost("m3")]);
  await deliver([cost("m3"), cost("m4")], true);
  await deliver([cost("m1"), cost("m2"), cost("m3"), cost("m4")], true);
  expect(await lines()).toEqual([["spend_tracked", "spend_tracked", 4, "1"]]);
});

it("counts the copies of a signed webhook once", async () => {
  const copy = { event: "budget_crossed", webhook_id: "w1", sent_at: NOW, received_at: NOW };
  await deliver([["m1", aWebhook(key, "560", copy)]]);
  await deliver([
    ["m2", aWebhook(key, "560", copy)],
    ["m3", aWebhook(key, "560", { ...copy, webhook_id: "w2" })],
  ]);
  expect(await lines()).toEqual([["webhook_received", "budget_crossed", 2, "560"]]);
});

it("writes a few lines an hour for two thousand posts by somebody who knows the token of the URL", async () => {
  for (let batch = 0; batch < 4; batch++) {
    const posts = Array.from({ length: 500 }, (_, index): [string, SpendMessage] => [
      `p${batch}-${index}`,
      hint(NOW + batch, "1", `event ${batch * 500 + index}`, hashOf("e")),
    ]);
    await deliver(posts);
  }
  expect(await lines()).toEqual([["webhook_unmatched", "event 0", 2_000, null]]);
});

const PLATFORM_KEY = "sk-key-of-another-tenant-0123456789";

it("counts for each tenant of a batch its own webhooks, also those with the same id", async () => {
  const other = sha256(PLATFORM_KEY);
  const origin = { kind: "own_key", virtualKey: PLATFORM_KEY, keyHash: other } as const;
  await createTenant(ownKeyInput({ tenantId: idOf("other"), origin }), deps);
  const named = { event: "budget_crossed", webhook_id: "w1", sent_at: NOW, received_at: NOW };
  const batch: [string, SpendMessage][] = [
    ["m1", aWebhook(key, "560", named)],
    ["m2", aWebhook(other, "570", named)],
    ["m3", aWebhook(other, "580", { ...named, webhook_id: "w2" })],
  ];
  await deliver(batch);
  await deliver(batch, true);
  const counted = await world.db.query(
    `select tenant_id, (detail ->> 'count')::int as count, detail ->> 'spend' as spend from audit_log
      where action = 'webhook_received' order by tenant_id`,
  );
  expect(counted).toEqual([
    { tenant_id: "acme", count: 1, spend: "560" },
    { tenant_id: "other", count: 2, spend: "580" },
  ]);
});

it("keeps apart what a signature vouches for and what anyone with the token of the URL may send", async () => {
  const signed = { event: "soft_budget_crossed", webhook_id: "w1", sent_at: NOW, received_at: NOW };
  await deliver([
    ["m1", hint(NOW)],
    ["m2", aWebhook(key, "410", signed)],
  ]);
  expect(await lines()).toEqual([
    ["webhook_received", "soft_budget_crossed", 1, "410"],
    ["webhook_received", "soft_budget_crossed", 1, "410"],
  ]);
});

it("shows the first and the last webhook of the line and the highest spend, in whatever order they come", async () => {
  await deliver([
    ["m1", hint(NOW + 2 * MINUTE, "430")],
    ["m2", hint(NOW + 4 * MINUTE, "420")],
  ]);
  await deliver([["m3", hint(NOW + MINUTE, "410")]]);
  const shown = await world.db.query(
    "select at, detail ->> 'last_at' as last_at, detail ->> 'spend' as spend from audit_log where action = 'webhook_received'",
  );
  const first = new Date(NOW + 2 * MINUTE);
  expect(shown).toEqual([{ at: first, last_at: new Date(NOW + 4 * MINUTE).toISOString(), spend: "430" }]);
});
