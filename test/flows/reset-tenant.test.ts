// A new period by hand: LiteLLM's spend is zero, nothing of the old period blocks, and people hear of it once.

import { beforeEach, describe, expect, it } from "vitest";
import { planRefresh } from "../../src/budget/freshness.ts";
import { resetTenant } from "../../src/flows/reset-tenant.ts";
import { MINUTE, NOW, RESET, SECOND, usd } from "../budget/builders.ts";
import { anActor, idOf } from "../support/builders.ts";
import { aWebhook, someCalls } from "../support/spend-messages.ts";
import { useSpendWorld } from "../support/spend-world.ts";
import { sha256, VIRTUAL_KEY } from "../support/virtual-key.ts";

const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, told, spendOf } = useSpendWorld();

/** Blocked at $600 of $500, of which people have heard. */
beforeEach(async () => {
  world.litellm.setSpend(key, 600);
  await deliver({ kind: "read_due", tenant_id: "acme", subject_id: key, lane: "hint-1" });
  world.now = NOW + MINUTE;
  deps.noticeQueue.sent.length = 0;
  deps.spendQueue.sent.length = 0;
});

async function reset() {
  const result = await resetTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);
  if (!result.ok) throw new Error(result.failure.kind);
  return result.value;
}
const resets = () => world.db.query("select before, after from audit_log where action = 'period_reset'");
const lookAgain = { kind: "read_due", tenant_id: "acme", subject_id: key, lane: "hint-1" } as const;

it("begins a period now at LiteLLM's figure, whose end stays LiteLLM's", async () => {
  const tenant = await reset();
  expect(tenant.config).toMatchObject({ litellmKeyLastReset: world.now, budgetResetAt: RESET });
  expect(tenant.spend).toMatchObject({ spendNanoUsd: 0n, periodStartedAt: world.now, resetsAt: RESET });
  expect((await world.keyRow(key)).spend).toBe(0);
  expect(await deps.tenants.load(acme)).toEqual({ ...tenant, periodAnnounced: true });
  const at = new Date(world.now).toISOString();
  expect(await resets()).toMatchObject([
    { before: { period_started_at: new Date(NOW).toISOString() }, after: { period_started_at: at } },
  ]);
});

it("tells people of the new period and that the block is over, each once", async () => {
  expect(await told()).toEqual(["budget_blocked"]);
  await reset();
  expect(await told()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  expect(deps.noticeQueue.sent).toHaveLength(4);
});

it("has the edge judge nobody by the old spend: not this isolate, not KV, not one that learns the config alone", async () => {
  const old = await spendOf();
  const { config, spend } = await reset();
  expect(deps.memory.tenant(acme)).toMatchObject({ config, spend });
  expect(await deps.snapshots.tenant(acme)).toMatchObject({ config, spend });
  expect(planRefresh(config, old, world.now, { demandedMaxAgeMs: null, random: 0 }).mode).toBe("first");
});

it("shows what LiteLLM adds back from its queue, for LiteLLM is right, and looks for it", async () => {
  await reset();
  expect(deps.spendQueue.sent).toContainEqual({ message: lookAgain, delaySeconds: 20 });
  world.now += 15 * SECOND;
  world.litellm.setSpend(key, 1.5);
  await deliver(lookAgain);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("1.5"), periodStartedAt: NOW + MINUTE });
});

it("ignores what calls and webhooks say that were begun within 90 s of it, and believes later ones", async () => {
  await reset();
  const early = { received_at: world.now + 80 * SECOND };
  await deliver(
    someCalls(key, "601", { begun_at: world.now + 80 * SECOND, ...early }),
    aWebhook(key, "602", { event: "budget_crossed", sent_at: world.now + 80 * SECOND, ...early }),
  );
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
  expect(await told()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  await deliver(someCalls(key, "7", { begun_at: world.now + 90 * SECOND, received_at: world.now + 91 * SECOND }));
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7") });
});

it("ignores a read that was on its way meanwhile and shows the old spend", async () => {
  const old = await spendOf();
  if (old === null) throw new Error("no spend");
  await reset();
  await deps.tenants.recordSpend({ tenantId: acme, subject: { kind: "key", id: key }, record: old });
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
});

it("arms every threshold again", async () => {
  await reset();
  world.now += 2 * MINUTE;
  world.litellm.setSpend(key, 410);
  await deliver(lookAgain);
  expect((await told()).at(-1)).toBe("threshold_crossed");
});

it("after another is another period", async () => {
  await reset();
  world.now += MINUTE;
  await reset();
  expect(await resets()).toHaveLength(2);
  expect((await told()).filter((each) => each === "budget_reset")).toHaveLength(2);
});

it("when an end is overdue counts as that reset: LiteLLM's late one begins no further period", async () => {
  world.now = RESET + MINUTE;
  await reset();
  world.now = RESET + 11 * MINUTE;
  await deliver({ ...lookAgain, lane: "period-end" });
  const tenant = await deps.tenants.load(acme);
  expect(tenant?.config).toMatchObject({ litellmKeyLastReset: RESET + MINUTE, budgetResetAt: Date.UTC(2027, 0, 1) });
  expect((await told()).filter((each) => each === "budget_reset")).toHaveLength(1);
});

describe("two administrators at once", () => {
  it("begin one period, audited once and told once", async () => {
    await Promise.all([reset(), reset(), reset()]);
    expect(await resets()).toHaveLength(1);
    expect(await told()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  });
});

describe("when something is away", () => {
  it("LiteLLM: nothing changes, and nobody is told", async () => {
    const before = await deps.tenants.load(acme);
    await world.litellm.stop();
    const result = await resetTenant({ tenantId: acme, actor: anActor() }, deps);
    await world.litellm.restart();
    expect(result).toEqual({ ok: false, failure: { kind: "litellm_unreachable", hasZeroed: false } });
    expect(await deps.tenants.load(acme)).toEqual(before);
    expect(await told()).toEqual(["budget_blocked"]);
  });

  it("KV and the queues: it is made all the same, and the sweep tells people", async () => {
    deps.snapshots.isAway = true;
    deps.spendQueue.isAway = true;
    deps.noticeQueue.isAway = true;
    const { config } = await reset();
    expect(config.litellmKeyLastReset).toBe(world.now);
    expect(await deps.tenants.load(acme)).toMatchObject({ periodAnnounced: false });
  });
});
