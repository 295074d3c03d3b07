// A tenant that is deleted during a flow: nothing of it is recreated, and no notice is sent.

import { describe, expect, it } from "vitest";
import { announceAlerts } from "../../../src/flows/alerts/announce-alerts.ts";
import { rewriteConfig } from "../../../src/flows/edge/rewrite-config.ts";
import { changeTenant } from "../../../src/flows/tenants/change-tenant.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { readMessage } from "../../../src/ports/messages.ts";
import { aRead, aSpendRecord, aTenantConfig, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, aTenant, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const { world, deps, deliver, alerts } = useSpendWorld();

describe("a tenant deleted before the sync", () => {
  it("returns a change that was already made", async () => {
    deps.tenants.loadEvenDeleted = async () => null;
    const change = { maxBudgetNanoUsd: usd("7") };
    const changed = await changeTenant({ tenantId: acme, change, actor: anActor({ now: NOW + MINUTE }) }, deps);
    expect(changed).toMatchObject({ ok: true, value: { config: change, sync: { status: "pending" } } });
  });

  it("returns a created tenant with its key", async () => {
    const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: sha256("sk-other") } as const;
    deps.tenants.loadEvenDeleted = async () => null;
    const created = await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin }), deps);
    expect(created).toMatchObject({ ok: true, value: { tenant: { config: { tenantId: "globex" }, spend: null } } });
  });
});

it("announces nothing when the spend can no longer be recorded", async () => {
  const { config } = (await deps.tenants.load(acme)) ?? aTenant();
  deps.ledgers.load = async () => [];
  await deliver(readMessage(config, aRead({ spendNanoUsd: usd("560") })));
  expect([await alerts(), deps.noticeQueue.sent]).toEqual([[], []]);
});

it("announces nothing when the tenant of a scheduled read is gone by the answer", async () => {
  const key = sha256(VIRTUAL_KEY);
  world.litellm.setSpend(key, 560);
  deps.ledgers.load = async () => [];
  await deliver({ kind: "read_due", tenant_id: "acme", subject_id: key, reason: "confirm" });
  expect([await alerts(), deps.noticeQueue.sent]).toEqual([[], []]);
});

describe("concurrent evaluations", () => {
  const tenantBatch = {
    tenant: aTenant({ config: aTenantConfig(), spend: aSpendRecord({ spendNanoUsd: usd("560") }) }),
    history: { lastEvaluation: null, alerts: [] },
    references: [],
    pending: [],
  };
  const announce = (differences = {}) =>
    announceAlerts({ tenantBatch, isBaseline: false, repeats: [], now: NOW, ...differences }, deps);

  it("record nothing for a deleted tenant", async () => {
    deps.alerts.record = async () => null;
    deps.spendBatches.load = async () => [];
    await announce();
    expect(deps.noticeQueue.sent).toEqual([]);
  });

  it("fail after three rounds, so that the message is redelivered", async () => {
    deps.alerts.record = async () => null;
    deps.spendBatches.load = async () => [tenantBatch];
    await expect(announce()).rejects.toThrow("gave up after 3 concurrent evaluations");
  });

  it("record no second baseline", async () => {
    const lastEvaluation = { limitVersion: 1, periodStartedAt: NOW };
    await announce({ tenantBatch: { ...tenantBatch, history: { lastEvaluation, alerts: [] } }, isBaseline: true });
    expect(await alerts()).toEqual([]);
  });

  it("record nothing without spend", async () => {
    await announce({ tenantBatch: { ...tenantBatch, tenant: { ...tenantBatch.tenant, spend: null } } });
    expect(await alerts()).toEqual([]);
  });

  it("log an alert of a zero limit without a channel and without a percentage", async () => {
    deps.alerts.record = async () => ({ announced: 1, deliveries: [] });
    const config = aTenantConfig({ maxBudgetNanoUsd: 0n });
    await announce({ tenantBatch: { ...tenantBatch, tenant: { ...tenantBatch.tenant, config } } });
    expect(deps.log.lines.at(-1)).toBe(
      'info notice preview {"tenant_id":"acme","event_type":"budget_blocked","used_percent":null,"why":"no channel is configured"}',
    );
  });
});

describe("rewriting a snapshot", () => {
  it("writes nothing for a tenant without a row and without a snapshot", async () => {
    deps.snapshots.configs.clear();
    await rewriteConfig({ tenantId: idOf("nobody"), now: NOW }, deps);
    expect(deps.snapshots.configs.size).toBe(0);
  });

  it("keeps the tombstone of a deleted tenant", async () => {
    await deps.snapshots.writeDeleted(idOf("nobody"), 7, NOW);
    const before = new Map(deps.snapshots.configs);
    await rewriteConfig({ tenantId: idOf("nobody"), now: NOW + MINUTE }, deps);
    expect(deps.snapshots.configs).toEqual(before);
  });
});
