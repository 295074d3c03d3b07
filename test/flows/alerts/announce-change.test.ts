// Announcing a change: once, to every channel, and never at the cost of the change itself.

import { beforeEach, describe, expect, it } from "vitest";
import { announceAlerts } from "../../../src/flows/alerts/announce-alerts.ts";
import { announceChange, tryAnnounceChange } from "../../../src/flows/alerts/announce-change.ts";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const { world, deps, alerts } = useSpendWorld();

async function input() {
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("acme is gone");
  return { change: { eventType: "tenant_suspended", tenantId: acme, auditId: 7 }, tenant, now: NOW } as const;
}

describe("a change", () => {
  it("records a change with its detail and queues a notice for each enabled channel", async () => {
    await announceChange(await input(), deps);
    expect(await alerts()).toMatchObject([{ event_type: "tenant_suspended", silent: false, occurrence: 0 }]);
    const [row] = await world.db.query("select detail, identity from budget_alert_history");
    expect(row).toEqual({ detail: { audit_id: 7 }, identity: "tenant_suspended/7/acme" });
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("announces a change once, however often it is repeated, one after the other or at once", async () => {
    const change = await input();
    await Promise.all(Array.from({ length: 4 }, () => announceChange(change, deps)));
    await announceChange({ ...change, now: NOW + MINUTE }, deps);
    expect(await alerts()).toHaveLength(1);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("notifies no one about a deleted tenant", async () => {
    const { change, now } = await input();
    await deps.tenants.markDeleted(acme, anActor());
    await announceChange({ change, tenant: null, now }, deps);
    expect(await alerts()).toEqual([]);
  });

  it("leaves the last evaluation of the thresholds unchanged", async () => {
    await announceChange(await input(), deps);
    expect(await world.db.query("select alerts_version from tenant_spend")).toEqual([{ alerts_version: null }]);
  });

  it("logs a preview once when there is no channel", async () => {
    await world.db.query("delete from notification_channels");
    const change = await input();
    await announceChange(change, deps);
    await announceChange(change, deps);
    expect(await alerts()).toHaveLength(1);
    expect(deps.log.lines.filter((line) => line.startsWith("info notice preview"))).toEqual([
      expect.stringContaining('"event_type":"tenant_suspended"'),
    ]);
  });

  it("notifies no one when the tenant is deleted meanwhile", async () => {
    const change = await input();
    await deps.tenants.markDeleted(acme, anActor());
    await announceChange(change, deps);
    expect(await alerts()).toEqual([]);
    expect(deps.noticeQueue.sent).toEqual([]);
  });
});

describe("a notice at the instant of another one", () => {
  const numbers = () =>
    world.db.query(`select event_type, spend::float8 as spend, limit_amount::float8 as limit
      from budget_alert_history where not silent order by created_at`);
  const grant = (createdAt: number) =>
    deps.overrides.grant(
      {
        id: "7f7c5b4e-6d8a-4a59-8f0f-2f6a31c6a001",
        tenantId: acme,
        amountNanoUsd: usd("100"),
        expiresAt: NOW + 60 * MINUTE,
        reason: "a busy week",
      },
      anActor({ now: createdAt }),
    );

  it("states the spend of the block, although the override was granted before it was counted", async () => {
    const granted = await grant(NOW);
    await world.db.query("update tenant_spend set spend = 560");
    if (!granted.ok) throw new Error("acme is gone");
    const { override, tenant } = granted.value;
    await announceChange({ change: { eventType: "override_granted", override }, tenant, now: NOW }, deps);
    expect(await numbers()).toEqual([{ event_type: "override_granted", spend: 560, limit: 600 }]);
  });

  it("states the limit of the override, although the batch was read before it was granted", async () => {
    await world.db.query("update tenant_spend set spend = 560");
    const [tenantBatch] = await deps.spendBatches.load([{ kind: "tenant", id: acme }], { withPending: false });
    if (tenantBatch === undefined) throw new Error("acme is gone");
    await grant(NOW + 50);
    await announceAlerts({ tenantBatch, isBaseline: false, repeats: [], now: NOW }, deps);
    expect(await numbers()).toEqual([{ event_type: "threshold_crossed", spend: 560, limit: 600 }]);
  });

  it("gives up when the tenant changes at every try; the sweep announces it", async () => {
    deps.alerts = { ...deps.alerts, record: async () => null };
    await expect(announceChange(await input(), deps)).rejects.toThrow("gave up");
  });
});

describe("a failed announcement", () => {
  const SAYS = 'error change announcement failed {"tenant_id":"acme","event_type":"tenant_suspended"}';
  beforeEach(() => void deps.log.lines.splice(0));

  it("logs the failure while Postgres is away, and does not throw", async () => {
    const change = await input();
    world.db.away();
    await tryAnnounceChange(change, deps).finally(() => world.db.back());
    expect(deps.log.lines).toEqual([expect.stringContaining(SAYS)]);
  });

  it("keeps the delivery in Postgres while the queue refuses", async () => {
    deps.noticeQueue.isAway = true;
    await tryAnnounceChange(await input(), deps);
    expect(deps.log.lines).toEqual([expect.stringContaining(SAYS)]);
    expect(await world.db.query("select status from notice_deliveries")).toEqual([
      { status: "pending" },
      { status: "pending" },
    ]);
  });
});
