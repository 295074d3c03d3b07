// Resets: announced by the consumer that has seen them, else by the next sweep, and once.

import { describe, expect, it } from "vitest";
import { announceChange } from "../../../src/flows/alerts/announce-change.ts";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { observeRead } from "../../../src/flows/counting/observe.ts";
import { reconcileTenants } from "../../../src/flows/spend/reconcile-tenants.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import { DAY, MINUTE, NOW, RESET, SECOND } from "../../budget/builders.ts";
import { anActor, idOf, incomingOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { killedAfter } from "../../support/faults/killed-after.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices } = useSpendWorld();
const OUTSIDE = ["tenants", "ledgers", "spendBatches", "alerts", "noticeQueue", "spendQueue", "snapshots"] as const;
const readNow = { kind: "read_due", tenant_id: "acme", subject_id: key, reason: "period-end" } as const;
const SEEN = RESET + 11 * MINUTE;

async function spendTo(dollars: number): Promise<void> {
  world.litellm.setSpend(key, dollars);
  await deliver({ ...readNow, reason: "confirm" });
}

/** A consumer that dies as soon as Postgres has what it read. */
async function observe(at: number, resetsAt = RESET + 31 * DAY): Promise<void> {
  world.now = at;
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("acme is gone");
  const read = { spendNanoUsd: 0n, begunAt: at, answeredAt: at, resetsAt };
  await observeRead({ tenantId: acme, subject: tenant.config.subject, ...read }, at, deps);
}

const sweepAt = (now: number) => announceChanges({ now }, deps);

describe("a consumer that dies after advancing the period", () => {
  it("leaves the announcement to the next sweep, and two sweeps at once announce it once", async () => {
    await observe(SEEN);
    await sweepAt(SEEN + 29 * SECOND);
    expect(await notices()).toEqual([]);
    await Promise.all([sweepAt(SEEN + 30 * SECOND), sweepAt(SEEN + 30 * SECOND)]);
    await sweepAt(SEEN + 2 * MINUTE);
    expect(await notices()).toEqual(["budget_reset"]);
    // The channel of the platform hears of no reset.
    expect(deps.noticeQueue.sent).toHaveLength(1);
  });

  it("announces once by its successors, at whichever step it dies", { timeout: 3 * MINUTE }, async () => {
    const incoming = incomingOf(readNow);
    for (let last = 1; last < 9; last++) {
      await deleteTenant({ tenantId: acme, actor: anActor() }, deps);
      await deps.tenants.remove(acme);
      world.now = NOW;
      await createTenant(ownKeyInput(), deps);
      await spendTo(600);
      world.now = SEEN;
      const dying = killedAfter({ ...deps }, OUTSIDE, last);
      await recordSpend({ incoming: [incoming], now: SEEN }, dying.ports).catch(() => "died");
      await recordSpend({ incoming: [{ ...incoming, isRedelivery: true }], now: SEEN }, deps);
      await sweepAt(SEEN + 2 * MINUTE);
      const types = ["budget_blocked", "budget_reset", "budget_resolved"];
      expect((await notices()).sort(), `after step ${last}`).toEqual(types);
    }
  });

  it("leaves the reset to the sweep while the notices queue refuses", async () => {
    await observe(SEEN);
    deps.noticeQueue.isAway = true;
    await sweepAt(SEEN + MINUTE);
    expect(deps.log.lines.join("\n")).toContain("change announcement failed");
    expect(await notices()).toEqual(["budget_reset"]);
  });
});

it("announces a reset at once that a reconciliation has seen", async () => {
  world.now = SEEN;
  const lease = SEEN + 5 * MINUTE;
  await world.db.query("update tenant_configs set read_leased_until = $1", [new Date(lease)]);
  await reconcileTenants({ tenantIds: [acme], lease, now: SEEN }, deps);
  expect(await notices()).toEqual(["budget_reset"]);
});

it("announces a reset once that two consumers have seen at once", async () => {
  world.now = SEEN;
  await Promise.all([deliver(readNow), deliver(readNow)]);
  expect(await notices()).toEqual(["budget_reset"]);
  expect(deps.noticeQueue.sent).toHaveLength(1);
});

describe("after an upgrade", () => {
  it("announces nothing again that the release before has announced", async () => {
    world.now = SEEN;
    await deliver(readNow);
    await world.db.query("update tenant_configs set period_announced = false");
    await sweepAt(SEEN + MINUTE);
    expect(await notices()).toEqual(["budget_reset"]);
    expect(deps.noticeQueue.sent).toHaveLength(1);
    expect(deps.log.lines.join("\n")).not.toContain("unannounced changes found");
  });

  it("announces no reset that was seen more than three days ago", async () => {
    await observe(SEEN);
    await sweepAt(SEEN + 3 * DAY + 1);
    expect(await notices()).toEqual([]);
    await sweepAt(SEEN + 3 * DAY);
    expect(await notices()).toEqual(["budget_reset"]);
  });
});

describe("a reset that the next one has overtaken", () => {
  const late = { eventType: "budget_reset", tenantId: acme, periodStartedAt: RESET } as const;
  const periods = async () =>
    (await world.db.query<{ at: Date }>("select period_started_at as at from budget_alert_history")).map(({ at }) =>
      at.getTime(),
    );

  it("leaves the announcement to the next one", async () => {
    await observe(SEEN);
    await observe(RESET + 32 * DAY, RESET + 62 * DAY);
    await announceChange({ change: late, tenant: null, now: world.now }, deps);
    await sweepAt(world.now + MINUTE);
    expect(await periods()).toEqual([RESET + 31 * DAY]);
  });

  it("announces nothing when its period ends before the alert is recorded", async () => {
    await observe(SEEN);
    const tenant = await deps.tenants.load(acme);
    await observe(RESET + 32 * DAY, RESET + 62 * DAY);
    await announceChange({ change: late, tenant, now: world.now }, deps);
    expect(await periods()).toEqual([]);
  });
});
