// A consumer that dies after any step of a reconcile: the message is redelivered, and the sweep leases again what it
// left when the lease expires. The end state is that of an undisturbed run.

import { expect, it } from "vitest";
import { postgresDeliveries } from "../../../src/adapters/postgres/notices/deliveries.ts";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { requeueDeliveries } from "../../../src/flows/notices/requeue-deliveries.ts";
import { LEASE_MS, leaseReads } from "../../../src/flows/spend/lease-reads.ts";
import { reconcileTenants } from "../../../src/flows/spend/reconcile-tenants.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { reconcileMessageSchema } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { killedAfter } from "../../support/faults/killed-after.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const OUTSIDE = [
  ...([
    "readLeases",
    "tenants",
    "spendBatches",
    "ledgers",
    "alerts",
    "litellm",
    "snapshots",
    "spendQueue",
    "noticeQueue",
  ] as const),
] as const;
const START = NOW + 61 * MINUTE;
const { world, deps, renewDeps } = useAdminWorld();

/**
 * acme has crossed 80 %, globex was adopted at 85 % and has crossed 100 % since, hooli has a new period, initech
 * another budget in LiteLLM, and LiteLLM no longer knows umbrella.
 */
async function begin(): Promise<void> {
  await world.db.empty();
  await world.begin();
  renewDeps();
  const make = (name: string, virtualKey = `sk-${name}-0123456789abcdef`) =>
    createTenant(
      ownKeyInput({
        tenantId: idOf(name),
        origin: { kind: "own_key", virtualKey, keyHash: sha256(virtualKey) },
        settings: { budgetDuration: name === "hooli" ? "1h" : "30d" },
      }),
      deps,
    );
  await make("acme", VIRTUAL_KEY);
  for (const name of ["hooli", "initech", "umbrella"]) await make(name);
  const adopted = "sk-globex-0123456789abcdef";
  await world.manage("POST", "/key/generate", { key: adopted, max_budget: 22, budget_duration: "30d" });
  world.litellm.setSpend(adopted, 17);
  const origin = { kind: "adopted", subject: { kind: "key", id: sha256(adopted) } } as const;
  await createTenant(
    ownKeyInput({ tenantId: idOf("globex"), origin, settings: { maxBudgetNanoUsd: usd("20") } }),
    deps,
  );
  await world.db.query("delete from notification_channels");
  await world.db.query(`insert into notification_channels (id, tenant_id, kind, name, sealed_target) values
    ('11111111-1111-4111-8111-111111111111', 'acme', 'slack', 'ours', 's'),
    ('22222222-2222-4222-8222-222222222222', null, 'email', 'platform', 's')`);
  world.now = START;
  world.litellm.setSpend(VIRTUAL_KEY, 410);
  world.litellm.setSpend(adopted, 20.5);
  world.litellm.runResetJob();
  world.litellm.setSpend("sk-hooli-0123456789abcdef", 2);
  await world.manage("POST", "/key/update", { key: "sk-initech-0123456789abcdef", max_budget: 1 });
  await world.manage("POST", "/key/delete", { keys: ["sk-umbrella-0123456789abcdef"] });
  deps.spendQueue.sent.length = 0;
}

/** Runs a sweep and every message that it queues. @throws Error when a consumer dies. */
async function reconcile(ports: typeof deps): Promise<void> {
  await leaseReads({ now: world.now }, deps);
  const messages = deps.spendQueue.sent
    .splice(0)
    .flatMap(({ message }) =>
      message.kind === "reconcile" ? [reconcileMessageSchema.parse(message)] : [kept(message)],
    )
    .filter((message) => message !== null);
  world.now += SECOND;
  for (const message of messages) await deliver(message, ports);
}

let others: string[] = [];
function kept(message: { readonly kind: string }): null {
  // A config that a dead consumer has not published is published by the next check, which reads Postgres too.
  if (message.kind !== "rewrite_config") others.push(JSON.stringify(message));
  return null;
}

let last: { tenant_ids: readonly ReturnType<typeof idOf>[]; lease: number } | null = null;
async function deliver(message: NonNullable<typeof last>, ports: typeof deps): Promise<void> {
  last = message;
  await reconcileTenants({ tenantIds: message.tenant_ids, lease: message.lease, now: world.now }, ports);
}

const STATE = {
  alerts: "select identity, silent, spend from budget_alert_history order by identity",
  deliveries: `select a.identity, d.channel_id from notice_deliveries d join budget_alert_history a on a.id = d.alert_id
    order by 1, 2`,
  spend: "select tenant_id, spend, source, period_started_at, resets_at from tenant_spend order by tenant_id",
  periods: "select tenant_id, budget_reset_at, litellm_key_last_reset from tenant_configs order by tenant_id",
  leases: "select tenant_id from tenant_configs where read_leased_until is not null",
  audit: "select tenant_id from audit_log where action = 'period_advanced'",
};

async function dump() {
  const tables: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(STATE)) tables[name] = await world.db.query(query);
  const ids = await world.db.query<{ id: string; identity: string }>("select id, identity from budget_alert_history");
  const identityOf = new Map(ids.map(({ id, identity }) => [id, identity]));
  const spends = [...deps.snapshots.spends].map(([id, { spendNanoUsd, periodStartedAt }]) => [
    id,
    String(spendNanoUsd),
    periodStartedAt,
  ]);
  for (const { message } of deps.spendQueue.sent.splice(0)) kept(message);
  return {
    ...tables,
    notices: [
      ...new Set(deps.noticeQueue.sent.map((each) => `${identityOf.get(each.alert_id)} ${each.channel_id}`)),
    ].sort(),
    queued: [...new Set(others)].sort(),
    // A check reads an unpublished tenant in state ok itself.
    snapshots: spends.filter(([id]) => id === "acme" || id === "globex").sort(),
  };
}

it("after each step in turn", { timeout: 5 * MINUTE }, async () => {
  others = [];
  await begin();
  const undisturbed = killedAfter({ ...deps }, OUTSIDE, Number.POSITIVE_INFINITY);
  await reconcile(undisturbed.ports);
  const wanted = await dump();
  expect(wanted).toMatchObject({
    // The reset of hooli, which has no channel, and the alerts of the others.
    alerts: { length: 4 },
    notices: { length: 3 },
    queued: ['{"kind":"sync_litellm","tenant_id":"initech"}', '{"kind":"sync_litellm","tenant_id":"umbrella"}'],
    leases: [{ tenant_id: "umbrella" }],
    audit: [{ tenant_id: "hooli" }],
  });

  const steps = undisturbed.calls();
  expect(steps).toBeGreaterThan(15);
  for (let step = 0; step < steps; step++) {
    others = [];
    await begin();
    await reconcile(killedAfter({ ...deps }, OUTSIDE, step).ports).catch(() => "died");
    for (const { message } of deps.spendQueue.sent.splice(0)) kept(message);
    // The isolate's memory is lost. The message is redelivered, and the sweep leases the tenant again when the lease
    // expires. The sweep also announces resets without an alert, and queues notices that were never queued.
    deps.memory = new (deps.memory.constructor as new () => typeof deps.memory)();
    if (last !== null) await deliver(last, deps);
    world.now += LEASE_MS + SECOND;
    await reconcile(deps);
    await announceChanges({ now: world.now }, deps);
    const deliveries = postgresDeliveries(world.db.database);
    await requeueDeliveries({ now: world.now }, { ...deps, deliveries });
    expect(await dump(), `after step ${step}`).toEqual(wanted);
  }
});
