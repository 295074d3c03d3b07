// A period reset by hand: LiteLLM's spend is zero, no spend of the old period blocks, and one notice is sent.

import { beforeEach, describe, expect, it } from "vitest";
import { planRefresh } from "../../../src/budget/freshness.ts";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { observeRead } from "../../../src/flows/counting/observe.ts";
import { resetTenant } from "../../../src/flows/tenants/reset-tenant.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices, spendOf } = useSpendWorld();

/** Blocked at $600 of $500, and announced. */
beforeEach(async () => {
  world.litellm.setSpend(key, 600);
  await deliver({ kind: "read_due", tenant_id: "acme", subject_id: key, reason: "confirm" });
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
const begun = () =>
  world.db.query("select before, after from audit_log where action = 'period_reset' and before <> after");
const timeOut = { ok: false, failure: { kind: "unreachable", why: "time-out" } } as const;
/** LiteLLM zeroes the spend, and its answer is lost. */
function loseTheAnswer(then = () => {}) {
  const { resetSpend } = deps.litellm;
  deps.litellm.resetSpend = async (hash) => {
    await resetSpend(hash);
    then();
    return timeOut;
  };
}
const recheck = {
  kind: "read_due",
  tenant_id: "acme",
  subject_id: key,
  reason: "recheck-20s",
  lane: "hint-1",
} as const;

it("begins a period now with LiteLLM's spend and LiteLLM's end", async () => {
  const tenant = await reset();
  expect(tenant.config).toMatchObject({ litellmKeyLastReset: world.now, budgetResetAt: RESET });
  expect(tenant.spend).toMatchObject({ spendNanoUsd: 0n, periodStartedAt: world.now, resetsAt: RESET });
  expect((await world.keyRow(key)).spend).toBe(0);
  expect(await deps.tenants.load(acme)).toEqual(tenant);
  const at = new Date(world.now).toISOString();
  expect(await resets()).toMatchObject([
    { before: { period_started_at: new Date(NOW - MINUTE).toISOString() }, after: { period_started_at: at } },
  ]);
});

it("announces the new period and the end of the block, each once", async () => {
  expect(await notices()).toEqual(["budget_blocked"]);
  await reset();
  expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  // The channel of the platform hears of no reset.
  expect(deps.noticeQueue.sent).toHaveLength(3);
});

it("stops the edge using the old spend: this isolate, KV, and an isolate that reads the config alone", async () => {
  const old = await spendOf();
  const { config, spend } = await reset();
  expect(deps.memory.tenant(acme)).toMatchObject({ config, spend });
  expect(await deps.snapshots.tenant(acme)).toMatchObject({ config, spend });
  expect(planRefresh(config, old, world.now, { demandedMaxAgeMs: null, random: 0 }).mode).toBe("first");
});

it("shows the spend that LiteLLM adds back from its queue, and schedules a read for it", async () => {
  await reset();
  expect(deps.spendQueue.sent).toContainEqual({ message: { ...recheck, lane: "hint-1" }, delaySeconds: 30 });
  world.now += 15 * SECOND;
  world.litellm.setSpend(key, 1.5);
  await deliver(recheck);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("1.5"), periodStartedAt: NOW + MINUTE });
});

it("ignores calls that ended before it and webhooks of its first 90 s, and counts later calls", async () => {
  await reset();
  const early = { received_at: world.now + 80 * SECOND };
  await deliver(
    aCall(key, "601", { endedAt: world.now + 3 * SECOND }),
    aWebhook(key, "602", { event: "budget_crossed", sent_at: world.now + 80 * SECOND, ...early }),
  );
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
  expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  await deliver(aCall(key, "7", { endedAt: world.now + 4 * SECOND }));
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7") });
});

it("keeps the calls that were counted while it was recorded, and gives up when that goes on", async () => {
  const { load } = deps.ledgers;
  const counting = (times: number) => {
    let left = times;
    deps.ledgers.load = async (asked) => {
      const opened = await load(asked);
      if (left-- > 0) await deliver(aCall(key, "1", { endedAt: world.now + 10 * SECOND }));
      return opened;
    };
  };
  counting(2);
  await reset();
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("2") });
  counting(Number.POSITIVE_INFINITY);
  const again = await resetTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);
  expect(again).toMatchObject({ ok: false, failure: { kind: "not_recorded" } });
});

it("corrects by its second read what an isolate with a clock ahead has recorded for the old period", async () => {
  const { config } = await reset();
  expect(deps.spendQueue.sent).toContainEqual({
    message: { ...recheck, reason: "confirm", lane: "confirmation" },
    delaySeconds: 75,
  });
  const readAt = world.now + 3 * SECOND;
  const ahead = { spendNanoUsd: usd("600"), begunAt: readAt, answeredAt: readAt, resetsAt: config.budgetResetAt };
  await observeRead({ tenantId: acme, subject: config.subject, ...ahead }, world.now, deps);
  world.now += 30 * SECOND;
  await deliver(recheck);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("600") });
  // The fall lifts a block, so its reads are a minute apart.
  world.now += 61 * SECOND;
  await deliver({ ...recheck, reason: "confirm" });
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
});

it("ignores a read in progress that shows the old spend", async () => {
  const { config } = await reset();
  const begunAt = world.now - 1;
  const old = { spendNanoUsd: usd("600"), begunAt, answeredAt: world.now + SECOND, resetsAt: config.budgetResetAt };
  await observeRead({ tenantId: acme, subject: config.subject, ...old }, world.now, deps);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
});

it("re-arms every threshold", async () => {
  await reset();
  world.now += 2 * MINUTE;
  world.litellm.setSpend(key, 410);
  await deliver(recheck);
  expect((await notices()).at(-1)).toBe("threshold_crossed");
});

it("begins another period when repeated", async () => {
  await reset();
  world.now += MINUTE;
  await reset();
  expect(await resets()).toHaveLength(2);
  expect((await notices()).filter((each) => each === "budget_reset")).toHaveLength(2);
});

it("replaces an overdue reset, so LiteLLM's late one begins no further period", async () => {
  world.now = RESET + MINUTE;
  await reset();
  world.now = RESET + 11 * MINUTE;
  await deliver({ ...recheck, reason: "period-end" });
  const tenant = await deps.tenants.load(acme);
  expect(tenant?.config).toMatchObject({ litellmKeyLastReset: RESET + MINUTE, budgetResetAt: Date.UTC(2027, 0, 1) });
  expect((await notices()).filter((each) => each === "budget_reset")).toHaveLength(1);
});

describe("two administrators at once", () => {
  it("begin one period, announced once, and the audit names each one who zeroed the spend", async () => {
    await Promise.all([reset(), reset(), reset()]);
    expect(await begun()).toHaveLength(1);
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
    const details = await world.db.query(
      "select detail from audit_log where action = 'period_reset' and detail is not null",
    );
    expect(details).toEqual([{ detail: { period_had_begun: true } }, { detail: { period_had_begun: true } }]);
  });
});

describe("a failing dependency", () => {
  it("changes and announces nothing while LiteLLM is away", async () => {
    const before = await deps.tenants.load(acme);
    await world.litellm.stop();
    const result = await resetTenant({ tenantId: acme, actor: anActor() }, deps);
    await world.litellm.restart();
    expect(result).toEqual({ ok: false, failure: { kind: "litellm_unreachable", hasZeroed: false } });
    expect(await deps.tenants.load(acme)).toEqual(before);
    expect(await notices()).toEqual(["budget_blocked"]);
  });

  it("begins the period when LiteLLM's answer is lost but its spend is zero", async () => {
    loseTheAnswer();
    const tenant = await reset();
    expect(tenant.spend).toMatchObject({ spendNanoUsd: 0n, periodStartedAt: world.now });
    expect(await begun()).toHaveLength(1);
  });

  it("begins the period when LiteLLM's answer is lost but its spend fell below its own before", async () => {
    loseTheAnswer(() => world.litellm.setSpend(key, 0.5));
    expect((await reset()).spend).toMatchObject({ spendNanoUsd: usd("0.5"), periodStartedAt: world.now });
  });

  it("begins no period when LiteLLM's answer is lost and its spend is unchanged, or below spend that only calls show", async () => {
    const before = await deps.tenants.load(acme);
    deps.litellm.resetSpend = async () => timeOut;
    const unsure = { ok: false, failure: { kind: "litellm_unreachable", hasZeroed: false } };
    expect(await resetTenant({ tenantId: acme, actor: anActor() }, deps)).toEqual(unsure);
    expect(await deps.tenants.load(acme)).toEqual(before);
    await deliver(aCall(key, "50"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("650"), source: "events" });
    expect(await resetTenant({ tenantId: acme, actor: anActor() }, deps)).toEqual(unsure);
    expect(await resets()).toEqual([]);
  });

  it("begins no period of a tenant that is deleted meanwhile, whether LiteLLM's answer was lost or not", async () => {
    deps.ledgers.load = async () => [];
    const gone = { ok: false, failure: { kind: "not_found" } };
    expect(await resetTenant({ tenantId: acme, actor: anActor() }, deps)).toEqual(gone);
    world.litellm.setSpend(key, 5);
    deps.litellm.resetSpend = async () => timeOut;
    const unsure = { ok: false, failure: { kind: "litellm_unreachable", hasZeroed: false } };
    expect(await resetTenant({ tenantId: acme, actor: anActor() }, deps)).toEqual(unsure);
  });

  it("reports a failing Postgres after LiteLLM has zeroed, and records, audits and announces when repeated", async () => {
    const { resetPeriod } = deps.tenants;
    deps.tenants.resetPeriod = () => Promise.reject(new Outage("postgres", "away", null));
    const half = await resetTenant({ tenantId: acme, actor: anActor() }, deps);
    expect(half).toEqual({ ok: false, failure: { kind: "not_recorded" } });
    deps.tenants.resetPeriod = resetPeriod;
    await reset();
    expect(await begun()).toHaveLength(1);
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  });

  it("goes on to the end when the administrator disconnects", async () => {
    const behind: Promise<unknown>[] = [];
    deps.background = (_what, work) => void behind.push(work);
    void resetTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);
    expect(behind).toHaveLength(1);
    await behind[0];
    expect(await begun()).toHaveLength(1);
  });

  it("announces while the spend queue is away", async () => {
    deps.spendQueue.isAway = true;
    await reset();
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  });

  it("resets while KV and the queues are away, and the sweep announces it", async () => {
    deps.snapshots.isAway = true;
    deps.spendQueue.isAway = true;
    deps.noticeQueue.isAway = true;
    const { config } = await reset();
    expect(config.litellmKeyLastReset).toBe(world.now);
    deps.noticeQueue.isAway = false;
    deps.log.lines.length = 0;
    // The alert is recorded, and its delivery waits in Postgres.
    await announceChanges({ now: world.now + MINUTE }, deps);
    expect(await notices()).toEqual(["budget_blocked", "budget_reset", "budget_resolved"]);
  });
});

describe("a tenant that is deleted meanwhile", () => {
  const deletedWhile = (isBefore: boolean) => {
    const { resetPeriod } = deps.tenants;
    const gone = () => deps.tenants.markDeleted(acme, anActor());
    const record = async (...period: Parameters<typeof resetPeriod>) => {
      if (isBefore) await gone();
      const reset = await resetPeriod(...period);
      if (!isBefore) await gone();
      return reset;
    };
    deps.tenants = { ...deps.tenants, resetPeriod: record };
  };
  const result = () => resetTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);

  it("reports a tenant deleted before its period begins", async () => {
    deletedWhile(true);
    expect(await result()).toEqual({ ok: false, failure: { kind: "not_found" } });
    expect(await begun()).toEqual([]);
  });

  it("announces nothing for a tenant deleted after its period began", async () => {
    deletedWhile(false);
    expect(await result()).toMatchObject({ ok: true });
    expect(await notices()).toEqual(["budget_blocked"]);
  });
});
