// The end of a period: LiteLLM is read until its reset shows, then the next period is recorded, audited and announced
// once.

import { describe, expect, it } from "vitest";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { schedulePeriodReads } from "../../../src/flows/spend/schedule-period-reads.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices, spendOf } = useSpendWorld();
const periodEndRead = {
  kind: "read_due",
  tenant_id: "acme",
  subject_id: key,
  reason: "period-end",
  lane: "period-end",
} as const;

/** Runs a sweep and delivers the messages that it queues. */
async function sweepAt(now: number): Promise<SpendMessage[]> {
  world.now = now;
  deps.spendQueue.sent.length = 0;
  await schedulePeriodReads({ now }, deps);
  const reads = deps.spendQueue.sent.map(({ message }) => message);
  if (reads.length > 0) await deliver(...reads);
  return reads;
}
async function spendTo(dollars: number, now: number): Promise<void> {
  world.now = now;
  world.litellm.setSpend(key, dollars);
  await deliver({ ...periodEndRead, reason: "confirm", lane: "confirmation" });
}
const advances = () => world.db.query("select actor from audit_log where action = 'period_advanced'");
const configOf = async () => (await deps.tenants.load(acme))?.config;

describe("an overdue period", () => {
  it("R1: reads every minute until LiteLLM's late reset shows, and the old spend blocks until then", async () => {
    await spendTo(600, NOW);
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(await sweepAt(RESET - MINUTE)).toEqual([]);
    const inKv = deps.snapshots.spends.get(acme);
    // LiteLLM's reset job runs up to ten minutes late.
    for (let minute = 0; minute < 4; minute++) {
      expect(await sweepAt(RESET + minute * MINUTE)).toEqual([periodEndRead]);
      expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("600"), resetsAt: RESET });
    }
    expect(await advances()).toEqual([]);
    // Nothing to publish to the edge: KV writes cost money.
    expect(deps.snapshots.spends.get(acme)).toEqual(inKv);
    world.now = RESET + 5 * MINUTE;
    world.litellm.runResetJob();
    await sweepAt(RESET + 5 * MINUTE);
    expect(await configOf()).toMatchObject({ litellmKeyLastReset: RESET, budgetResetAt: Date.UTC(2027, 0, 1) });
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, periodStartedAt: RESET });
    expect(await deps.snapshots.tenant(acme)).toMatchObject({
      config: { litellmKeyLastReset: RESET },
      spend: { spendNanoUsd: 0n, periodStartedAt: RESET },
    });
    expect(await advances()).toEqual([{ actor: "bursar" }]);
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
    expect(await sweepAt(RESET + 6 * MINUTE)).toEqual([]);
  });

  it.each([
    ["30d", RESET],
    ["60d", Date.UTC(2027, 0, 14)],
    ["90d", Date.UTC(2027, 1, 13)],
    ["7d", Date.UTC(2026, 10, 16)],
    ["2w", Date.UTC(2026, 10, 29)],
    ["12h", Date.UTC(2026, 10, 16)],
    ["1mo", RESET],
  ])("R1: a budget of %s resets by itself, audited and announced", async (budgetDuration, end) => {
    await deleteTenant({ tenantId: acme, actor: anActor() }, deps);
    await deps.tenants.remove(acme);
    await createTenant(ownKeyInput({ settings: { budgetDuration } }), deps);
    expect(await configOf()).toMatchObject({ budgetDuration, budgetResetAt: end });
    await sweepAt(end + 11 * MINUTE);
    const config = await configOf();
    expect(config?.litellmKeyLastReset).toBe(end);
    expect(config?.budgetResetAt).toBeGreaterThan(end);
    expect(await advances()).toHaveLength(1);
    expect(await notices()).toEqual(["budget_reset"]);
  });

  it("re-arms every threshold", async () => {
    await spendTo(410, NOW);
    await sweepAt(RESET + 11 * MINUTE);
    await spendTo(410, RESET + 20 * MINUTE);
    expect(await notices()).toEqual(["threshold_crossed", "budget_reset", "threshold_crossed"]);
  });

  it("shows the queued spend that LiteLLM adds to the zero, because LiteLLM is authoritative", async () => {
    await spendTo(600, NOW);
    await sweepAt(RESET + 11 * MINUTE);
    await spendTo(1.5, RESET + 11 * MINUTE + 10 * SECOND);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("1.5"), periodStartedAt: RESET });
  });

  it("ignores LiteLLM's pods, which enforce the old spend from memory for a minute", async () => {
    await spendTo(600, NOW);
    await sweepAt(RESET + 11 * MINUTE);
    const at = { sent_at: world.now + 50 * SECOND, received_at: world.now + 50 * SECOND };
    world.now += 50 * SECOND;
    await deliver(aWebhook(key, "600", { event: "budget_crossed", ...at }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  });

  it("leaves a tenant to the next sweep when LiteLLM does not answer, without a message on the queue", async () => {
    await world.litellm.stop();
    expect(await sweepAt(RESET + MINUTE)).toEqual([periodEndRead]);
    expect(deps.spendQueue.sent.map(({ message }) => message)).toEqual([periodEndRead]);
    await world.litellm.restart();
    expect(await sweepAt(RESET + 12 * MINUTE)).toEqual([periodEndRead]);
    expect(await advances()).toHaveLength(1);
  });

  it("schedules the read again when the queue refuses", async () => {
    deps.spendQueue.isAway = true;
    await expect(schedulePeriodReads({ now: RESET }, deps)).rejects.toThrow("queue");
    deps.spendQueue.isAway = false;
    expect(await sweepAt(RESET + MINUTE)).toEqual([periodEndRead]);
  });

  it("spreads the reads of many tenants over the minute", async () => {
    await world.db.query(`insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at, budget_reset_at)
      select 't' || n, 'team', 't' || n, now(), '2026-11-01' from generate_series(1, 1500) n`);
    await schedulePeriodReads({ now: RESET }, deps);
    const delays = deps.spendQueue.sent.map(({ delaySeconds }) => delaySeconds);
    expect(delays).toHaveLength(1_000);
    expect(Object.values(Object.groupBy(delays, String)).map((group) => group?.length)).toEqual(Array(10).fill(100));
    expect([delays[0], delays.at(-1)]).toEqual([0, 45]);
  });
});

describe("two sweeps at once", () => {
  it("claim a tenant once, and two consumers advance, audit and announce once", async () => {
    await spendTo(600, NOW);
    world.now = RESET + 11 * MINUTE;
    deps.spendQueue.sent.length = 0;
    await Promise.all([schedulePeriodReads({ now: world.now }, deps), schedulePeriodReads({ now: world.now }, deps)]);
    expect(deps.spendQueue.sent).toHaveLength(1);
    await Promise.all([deliver(periodEndRead), deliver(periodEndRead)]);
    expect(await advances()).toHaveLength(1);
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
    // Two channels each, except that the platform's hears of no reset.
    expect(deps.noticeQueue.sent.length).toBe(5);
  });
});

describe("the first period is not announced", () => {
  it("a tenant with a key of its own", async () => {
    await announceChanges({ now: NOW + DAY }, deps);
    expect(await notices()).toEqual([]);
  });

  it("an adopted tenant, wherever in its period LiteLLM was", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-theirs", max_budget: 20, budget_duration: "30d" });
    const origin = { kind: "adopted", subject: { kind: "key", id: sha256("sk-theirs") } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin }), deps);
    await deliver({ kind: "read_due", tenant_id: "globex", subject_id: sha256("sk-theirs"), reason: "recheck-20s" });
    await announceChanges({ now: NOW + DAY }, deps);
    expect(await notices()).toEqual([]);
  });
});
