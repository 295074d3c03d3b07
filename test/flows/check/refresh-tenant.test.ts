// A refresh: which check may read, how the read is merged, and where it is published.

import { beforeEach, describe, expect, it } from "vitest";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import { type RefreshOutcome, startRefresh } from "../../../src/flows/check/refresh-tenant.ts";
import { readMessage, type SpendMessage } from "../../../src/ports/messages.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";
import { aRead, aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { aTenant, hashOf, idOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const earlier = aSpendRecord({ observedAt: NOW - MINUTE, readAt: NOW - MINUTE });

const inputOf = (spend: SpendRecord | null, config = aTenantConfig()) => {
  return { config, spend, colo: "FRA", now: world.clock(), exclusiveSeconds: 5, isNeeded: false };
};

async function refresh(spend: SpendRecord | null = earlier, config = aTenantConfig()): Promise<RefreshOutcome> {
  const outcome = await world.timers.runUntil(startRefresh(inputOf(spend, config), world.deps()));
  await world.untilQuiet();
  return outcome;
}

const sent = (kind: SpendMessage["kind"]) => world.queue.sent.filter(({ message }) => message.kind === kind);

describe("the snapshot in KV", () => {
  const readsOf = (dollars: string, resetsAt = RESET) => {
    world.inPostgres(aTenantConfig());
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd(dollars), resetsAt }));
  };
  /** Marks the snapshot as just written, so that only the difference decides. */
  const justWritten = () => world.memory.throttle("snapshot:acme", 15, NOW);

  it.each([
    ["no spend was known", "100", null, true],
    ["the state changes", "400", { spendNanoUsd: usd("399.999999999") }, true],
    ["the end of the period changes", "100", { resetsAt: RESET - DAY }, true],
    ["the spend rises by 1 % of the limit", "105", {}, true],
    ["the spend rises by less", "104.999999999", {}, false],
    ["the spend stays", "100", {}, false],
  ])("%s: decides whether the snapshot is written at once", async (_, dollars, before, isWritten) => {
    readsOf(dollars);
    justWritten();
    await refresh(before === null ? null : { ...earlier, ...before });
    expect(world.kv.spends.get(ACME)?.spendNanoUsd).toBe(isWritten ? usd(dollars) : undefined);
  });

  it("writes every 15 seconds otherwise", async () => {
    readsOf("100");
    await refresh();
    world.kv.spends.clear();
    await world.timers.pass(14_999);
    await refresh();
    expect(world.kv.spends.size).toBe(0);
    await world.timers.pass(5_001);
    await refresh();
    expect(world.kv.spends.size).toBe(1);
  });

  it("treats a zero limit like any other: not every read is a write", async () => {
    const config = aTenantConfig({ maxBudgetNanoUsd: 0n });
    readsOf("100");
    world.inPostgres(config);
    justWritten();
    await refresh(earlier, config);
    expect(world.kv.spends.size).toBe(0);
  });

  it("logs a refusal of KV, and the read counts all the same", async () => {
    readsOf("450");
    world.snapshots.trouble("writeSpend", new Error("429"));
    expect((await refresh()).kind).toBe("read");
    expect(world.log.lines).toContain('error kv spend write failed {"tenant_id":"acme"} Error: 429');
  });
});

describe("the read for Postgres", () => {
  it.each<[string, Partial<SpendRecord> | null, boolean]>([
    ["it has no spend", null, true],
    ["it has another spend", { spendNanoUsd: usd("99") }, true],
    ["it has another end of the period", { resetsAt: RESET - DAY, readAt: NOW - 1 }, true],
    ["it has the spend, read five minutes ago", { readAt: NOW - 5 * MINUTE, observedAt: NOW - 5 * MINUTE }, true],
    ["it has the spend, read less than five minutes ago", { readAt: NOW - 5 * MINUTE + 1 }, false],
    ["it has the spend, but not from a read", { readAt: null }, true],
  ])("%s: decides whether the read is sent", async (_, stored, isSent) => {
    world.inPostgres(aTenantConfig(), stored);
    world.litellm.has(aLiteLlmRow());
    await refresh();
    expect(sent("read")).toHaveLength(isSent ? 1 : 0);
  });

  it("carries the spend to the nano-dollar", async () => {
    world.inPostgres(aTenantConfig());
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: 123_456_789n + usd("400") }));
    expect(await refresh()).toMatchObject({ kind: "read", spend: { spendNanoUsd: usd("400.123456789") } });
    const message = readMessage(aTenantConfig(), aRead({ spendNanoUsd: usd("400.123456789") }));
    expect(sent("read")).toEqual([{ message, delaySeconds: 0 }]);
  });

  it.each<[string, Partial<SpendRecord> | null, boolean]>([
    ["the edge had no spend", null, true],
    ["the edge had another spend", { spendNanoUsd: usd("99") }, true],
    ["the edge had the same spend", {}, false],
  ])("decides before Postgres answers whether to send, when %s", async (_, before, isSent) => {
    world.tenants.trouble("load", new Error("down"));
    world.litellm.has(aLiteLlmRow());
    expect((await refresh(before && { ...earlier, ...before })).kind).toBe("read");
    expect(sent("read")).toHaveLength(isSent ? 1 : 0);
  });

  it("logs a refusal of the queue, and the read counts all the same", async () => {
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("450") }));
    world.inPostgres(aTenantConfig());
    world.queue.isAway = true;
    expect((await refresh()).kind).toBe("read");
    expect(world.log.lines).toContain("error read enqueue failed {} Outage: queue: away");
  });
});

describe("drift in LiteLLM", () => {
  const tenant = (differences: Partial<TenantRecord> = {}) =>
    world.postgres.has(aTenant({ spend: earlier, ...differences }));
  const raisedByHand = () => world.litellm.has(aLiteLlmRow({ maxBudgetNanoUsd: usd("9999") }));

  it("queues a sync at most once a minute", async () => {
    tenant();
    raisedByHand();
    await refresh();
    await world.timers.pass(59 * SECOND);
    await refresh();
    expect(sent("sync_litellm").map(({ message }) => message)).toEqual([{ kind: "sync_litellm", tenant_id: "acme" }]);
    await world.timers.pass(10 * SECOND);
    await refresh();
    expect(sent("sync_litellm")).toHaveLength(2);
  });

  it.each<[string, () => void]>([
    ["LiteLLM has it", () => world.litellm.has(aLiteLlmRow())],
    [
      "the sweep is at it already",
      () => {
        raisedByHand();
        tenant({
          sync: { status: "pending", error: "down", since: NOW, budgetId: null, hasSetLimits: true, hasBlocked: false },
        });
      },
    ],
    [
      "Postgres does not answer",
      () => {
        raisedByHand();
        world.tenants.trouble("load", new Error("down"));
      },
    ],
  ])("queues no sync when %s", async (_, arrange) => {
    tenant();
    arrange();
    expect((await refresh()).kind).toBe("read");
    expect(sent("sync_litellm")).toEqual([]);
  });
});

describe("the period of a read", () => {
  it("begins the next period when the read shows LiteLLM's reset", async () => {
    const config = aTenantConfig({ budgetResetAt: NOW - SECOND });
    world.inPostgres(config, null);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("1") }));
    expect(await refresh({ ...earlier, resetsAt: NOW - SECOND }, config)).toMatchObject({
      kind: "read",
      spend: { spendNanoUsd: usd("1"), periodStartedAt: NOW - SECOND, resetsAt: RESET },
    });
  });

  it("makes the read the first one of the period when the config knows a later period", async () => {
    const config = aTenantConfig({ litellmKeyLastReset: NOW - DAY });
    world.inPostgres(config, null);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("2") }));
    expect(await refresh(earlier, config)).toMatchObject({
      spend: { spendNanoUsd: usd("2"), periodStartedAt: NOW - DAY },
    });
  });
});

it("ignores a read that the beginning of a period has overtaken, and lets Postgres judge it too", async () => {
  const config = aTenantConfig({ litellmKeyLastReset: NOW + 10 * SECOND });
  const known = { spendNanoUsd: usd("3"), readAt: null, source: "webhook" } as const;
  world.inPostgres(config, known);
  world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("540") }));
  expect(await refresh(aSpendRecord(known), config)).toMatchObject({ spend: { spendNanoUsd: usd("3"), readAt: null } });
  expect(sent("read")).toHaveLength(1);
  expect(world.kv.spends.get(ACME)?.spendNanoUsd).not.toBe(usd("540"));
});

describe("permission to read", () => {
  beforeEach(() => {
    world.inPostgres(aTenantConfig());
    world.litellm.has(aLiteLlmRow());
  });

  it("refuses a second read in this isolate without any call", async () => {
    await refresh();
    expect(await refresh()).toEqual({ kind: "held" });
    expect([world.litellm.reads.length, world.claims.calls("claimRead")]).toEqual([1, 1]);
  });

  it("allows a read of another tenant", async () => {
    await refresh();
    world.inPostgres(aTenantConfig({ tenantId: idOf("other") }));
    expect((await refresh(earlier, aTenantConfig({ tenantId: idOf("other") }))).kind).toBe("read");
  });
});

describe("a late Postgres", () => {
  const late = async (arrange: () => void) => {
    arrange();
    world.litellm.has(aLiteLlmRow());
    world.tenants.trouble("load", 300);
    expect((await refresh()).kind).toBe("read");
  };

  it("forgets a deleted tenant and writes its tombstone in the background", async () => {
    await late(() => world.memory.rememberTenant(ACME, { config: aTenantConfig(), spend: earlier }, NOW));
    expect(world.memory.tenant(ACME)).toBeNull();
    expect(world.kv.configs.get(ACME)).toMatchObject({ deletedRevision: 1 });
  });

  it("remembers a newer config and writes it to KV for the next check", async () => {
    await late(() => world.inPostgres(aTenantConfig({ revision: 5, maxBudgetNanoUsd: usd("7") })));
    expect(world.memory.tenant(ACME)?.config).toMatchObject({ revision: 5 });
    expect(world.kv.configs.get(ACME)).toMatchObject({ revision: 5, maxBudgetNanoUsd: usd("7") });
  });
});

describe("failures reach only the log", () => {
  it("answers without waiting for Postgres beyond its timeout", async () => {
    world.inPostgres(aTenantConfig());
    world.tenants.trouble("load", "hangs");
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("450") }));
    const outcome = await world.timers.runUntil(startRefresh(inputOf(null), world.deps()));
    expect(outcome).toMatchObject({ kind: "read", spend: { spendNanoUsd: usd("450") } });
    expect(world.timers.elapsedMs).toBe(40);
    expect(world.kv.spends.get(ACME)).toMatchObject({ spendNanoUsd: usd("450") });
  });

  it("keeps the read's spend in memory when a distant Postgres has a later epoch with less", async () => {
    world.inPostgres(aTenantConfig(), { ...earlier, epoch: 5 });
    world.tenants.trouble("load", 60);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("450") }));
    await refresh();
    expect(world.memory.tenant(ACME)?.spend).toMatchObject({ spendNanoUsd: usd("450"), epoch: 5, readAt: NOW });
  });

  it("writes the newer config of a distant Postgres to KV in the background", async () => {
    world.inPostgres(aTenantConfig({ revision: 9 }));
    world.tenants.trouble("load", 60);
    world.litellm.has(aLiteLlmRow());
    expect(await refresh()).toMatchObject({ kind: "read", config: { revision: 1 } });
    expect(world.kv.configs.get(ACME)).toMatchObject({ revision: 9 });
    expect(world.memory.tenant(ACME)).toMatchObject({ config: { revision: 9 } });
  });

  it("ignores spend of a former subject", async () => {
    const other = { kind: "key", id: hashOf("b") } as const;
    world.inPostgres(aTenantConfig({ revision: 9, subject: other }));
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("600") }));
    expect(await refresh()).toMatchObject({ kind: "failed", known: { config: { revision: 9, subject: other } } });
    expect(world.kv.spends.get(ACME)).toBeUndefined();
    expect(sent("read")).toEqual([]);
  });

  it("ends a failed read in the cached tenant, and forgets the failure after a success", async () => {
    world.inPostgres(aTenantConfig({ revision: 7 }));
    world.litellm.has(aLiteLlmRow());
    world.litellm.nextTries.push(AWAY);
    const outcome = await world.timers.runUntil(startRefresh(inputOf(earlier), world.deps()));
    expect(outcome).toMatchObject({ kind: "failed", known: { config: { revision: 7 } } });
    expect(world.memory.failedRecently(ACME, world.clock())).toBe(true);
    await world.untilQuiet();
    expect(world.memory.failedRecently(ACME, world.clock())).toBe(false);
  });

  it("turns a bug in a port into a failed read with a log line, and never a rejection", async () => {
    world.reads.trouble("readSubject", new TypeError("a bug"));
    expect(await refresh()).toMatchObject({ kind: "failed", known: { spend: earlier } });
    expect(world.log.lines).toContain("error tenant refresh failed {} TypeError: a bug");
  });

  it("logs a tombstone that cannot be written", async () => {
    world.litellm.has(aLiteLlmRow());
    world.snapshots.trouble("writeDeleted", new Error("429"));
    expect(await refresh()).toEqual({ kind: "gone" });
    expect(world.log.lines).toContain('error kv tombstone write failed {"tenant_id":"acme"} Error: 429');
  });
});
