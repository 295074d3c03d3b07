// The world of record-spend's tests: acme with $500 on a real Postgres, with its own Slack channel, an e-mail channel
// of the platform and a disabled channel. `deliver` delivers batches at the world's `now`.

import { beforeEach } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { idOf, incomingOf } from "../builders/builders.ts";
import { aWebhook } from "../builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "./admin-world.ts";

/** Registers the hooks of a suite. */
export function useSpendWorld() {
  const { world, deps } = useAdminWorld();
  beforeEach(async () => {
    // A minute ago, so that the read of its creation is old enough for a hint to read again.
    world.now = NOW - MINUTE;
    await createTenant(ownKeyInput(), deps);
    world.now = NOW;
    await world.db.query("delete from notification_channels");
    await world.db.query(`insert into notification_channels (id, tenant_id, kind, name, sealed_target, enabled) values
      ('11111111-1111-4111-8111-111111111111', 'acme', 'slack', 'ours', 's', true),
      ('22222222-2222-4222-8222-222222222222', null, 'email', 'platform', 's', true),
      ('33333333-3333-4333-8333-333333333333', 'acme', 'webhook', 'off', 's', false)`);
    deps.spendQueue.sent.length = 0;
  });

  let delivered = 0;

  /** Delivers one batch. @throws Error when the queue would redeliver any of its messages. */
  async function deliver(...messages: SpendMessage[]): Promise<void> {
    const incoming = messages.map((each) => incomingOf(each, { messageId: `m${delivered++}` }));
    const failed = await recordSpend({ incoming, now: world.now }, deps);
    if (failed.size > 0) throw new Error(deps.log.lines.join("\n"));
  }

  /** LiteLLM's spend is this, and a signed webhook says so now. Afterwards enough time passes for the next read. */
  async function hear(spend: string, webhook: Parameters<typeof aWebhook>[2] = {}, key = sha256(VIRTUAL_KEY)) {
    world.litellm.setSpend(key, Number(spend));
    await deliver(aWebhook(key, spend, { sent_at: world.now, received_at: world.now, ...webhook }));
    pass(6 * SECOND);
  }

  /** The claims of Redis have expired by then. */
  function pass(ms: number) {
    world.now += ms;
    deps.claims.reads.clear();
  }

  const alerts = () =>
    world.db.query<{ event_type: string; silent: boolean; occurrence: number; spend: number }>(
      "select event_type, silent, occurrence, spend::float8 as spend from budget_alert_history order by created_at, threshold",
    );
  /** The event types of the alerts that notified people. */
  const notices = async () => (await alerts()).filter(({ silent }) => !silent).map(({ event_type: event }) => event);
  const spendOf = async (tenantId = "acme") => (await deps.tenants.load(idOf(tenantId)))?.spend ?? null;
  return { world, deps, deliver, hear, pass, alerts, notices, spendOf };
}
