// A refresh: who may read, what is made of the reading, and who hears of it.

import { beforeEach, describe, expect, it } from "vitest";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import { type RefreshOutcome, startRefresh } from "../../../src/flows/check/refresh-tenant.ts";
import { observedMessage, type SpendMessage } from "../../../src/ports/messages.ts";
import type { TenantRecord } from "../../../src/records/tenant-record.ts";
import { aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { aTenant, hashOf, idOf } from "../../support/builders.ts";
import { ACME, CheckWorld } from "../../support/check-world.ts";
import { AWAY, aLiteLlmRow } from "../../support/fake-litellm.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const earlier = aSpendRecord({ observedAt: NOW - MINUTE, readAt: NOW - MINUTE });

async function refresh(spend: SpendRecord | null = earlier, config = aTenantConfig()): Promise<RefreshOutcome> {
  const input = { config, spend, colo: "FRA", now: world.clock(), exclusiveSeconds: 5 };
  const outcome = await world.timers.runUntil(startRefresh(input, world.deps()));
  await world.untilQuiet();
  return outcome;
}

const sent = (kind: SpendMessage["kind"]) => world.queue.sent.filter(({ message }) => message.kind === kind);

describe("the snapshot in KV", () => {
  const readsOf = (dollars: string, resetsAt = RESET) => {
    world.inPostgres(aTenantConfig());
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd(dollars), resetsAt }));
  };
  /** So that only the difference decides. */
  const justWritten = () => world.memory.throttle("snapshot:acme", 15, NOW);

  it.each([
    ["nothing was known", "100", null, true],
    ["the state changes", "400", { spendNanoUsd: usd("399.999999999") }, true],
    ["the end of the period changes", "100", { resetsAt: RESET - DAY }, true],
    ["the figure rises by 1 % of the limit", "105", {}, true],
    ["the figure rises by less", "104.999999999", {}, false],
    ["the figure stays", "100", {}, false],
  ])("%s: written at once is decided", async (_, dollars, before, isWritten) => {
    readsOf(dollars);
    justWritten();
    await refresh(before === null ? null : { ...earlier, ...before });
    expect(world.kv.spends.get(ACME)?.spendNanoUsd).toBe(isWritten ? usd(dollars) : undefined);
  });

  it("falls by 1 % of the limit: written at once too", async () => {
    readsOf("95");
    world.inPostgres(aTenantConfig(), { observedAt: NOW - 2 * MINUTE, readAt: NOW - 2 * MINUTE });
    justWritten();
    await refresh({ ...earlier, observedAt: NOW - 2 * MINUTE });
    expect(world.kv.spends.get(ACME)?.spendNanoUsd).toBe(usd("95"));
  });

  it("otherwise it is written every 15 seconds", async () => {
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

  it("a zero limit does not make every read worth a write", async () => {
    const config = aTenantConfig({ maxBudgetNanoUsd: 0n });
    readsOf("100");
    world.inPostgres(config);
    justWritten();
    await refresh(earlier, config);
    expect(world.kv.spends.size).toBe(0);
  });

  it("a KV that refuses is logged, and the read counts all the same", async () => {
    readsOf("450");
    world.snapshots.trouble("writeSpend", new Error("429"));
    expect((await refresh()).kind).toBe("read");
    expect(world.log.lines).toContain("error write a spend snapshot failed {} Error: 429");
  });
});

describe("the observation for Postgres", () => {
  it.each<[string, Partial<SpendRecord> | null, boolean]>([
    ["it has no figure", null, true],
    ["it has another figure", { spendNanoUsd: usd("99") }, true],
    ["it has another end of the period", { resetsAt: RESET - DAY, readAt: NOW - 1 }, true],
    ["it has the figure, read five minutes ago", { readAt: NOW - 5 * MINUTE, observedAt: NOW - 5 * MINUTE }, true],
    ["it has the figure, read later than that", { readAt: NOW - 5 * MINUTE + 1 }, false],
    ["it has the figure, but from no read", { readAt: null }, true],
  ])("%s: sent is decided", async (_, stored, isSent) => {
    world.inPostgres(aTenantConfig(), stored);
    world.litellm.has(aLiteLlmRow());
    await refresh();
    expect(sent("observed")).toHaveLength(isSent ? 1 : 0);
  });

  it("carries what was read, to the nano-dollar", async () => {
    world.inPostgres(aTenantConfig());
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: 123_456_789n + usd("400") }));
    const outcome = await refresh();
    if (outcome.kind !== "read") throw new Error(outcome.kind);
    expect(outcome.spend.spendNanoUsd).toBe(usd("400.123456789"));
    expect(sent("observed").map(({ message }) => message)).toEqual([observedMessage(aTenantConfig(), outcome.spend)]);
  });

  it.each<[string, Partial<SpendRecord> | null, boolean]>([
    ["the edge knew nothing", null, true],
    ["the edge knew another figure", { spendNanoUsd: usd("99") }, true],
    ["the edge knew this one", {}, false],
  ])("when Postgres cannot say what it has and %s: sent is decided", async (_, before, isSent) => {
    world.tenants.trouble("load", new Error("down"));
    world.litellm.has(aLiteLlmRow());
    expect((await refresh(before && { ...earlier, ...before })).kind).toBe("read");
    expect(sent("observed")).toHaveLength(isSent ? 1 : 0);
  });

  it("a queue that refuses is logged, and the read counts all the same", async () => {
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("450") }));
    world.inPostgres(aTenantConfig());
    world.queue.isAway = true;
    expect((await refresh()).kind).toBe("read");
    expect(world.log.lines).toContain("error send an observation failed {} Outage: queue: away");
  });
});

describe("LiteLLM does not have the wish", () => {
  const tenant = (differences: Partial<TenantRecord> = {}) =>
    world.postgres.has(aTenant({ spend: earlier, ...differences }));
  const raisedByHand = () => world.litellm.has(aLiteLlmRow({ maxBudgetNanoUsd: usd("9999") }));

  it("a sync is queued, at most once a minute", async () => {
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
      "Postgres cannot say what the wish is",
      () => {
        raisedByHand();
        world.tenants.trouble("load", new Error("down"));
      },
    ],
  ])("no sync is queued when %s", async (_, arrange) => {
    tenant();
    arrange();
    expect((await refresh()).kind).toBe("read");
    expect(sent("sync_litellm")).toEqual([]);
  });
});

describe("which period the figure belongs to", () => {
  it("a read that shows LiteLLM's reset begins the next period", async () => {
    const config = aTenantConfig({ budgetResetAt: NOW - SECOND });
    world.inPostgres(config, null);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("1") }));
    expect(await refresh({ ...earlier, resetsAt: NOW - SECOND }, config)).toMatchObject({
      kind: "read",
      spend: { spendNanoUsd: usd("1"), periodStartedAt: NOW - SECOND, resetsAt: RESET },
    });
  });

  it("a config that knows a later period than the figure makes the read the first of it", async () => {
    const config = aTenantConfig({ litellmKeyLastReset: NOW - DAY });
    world.inPostgres(config, null);
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("2") }));
    expect(await refresh(earlier, config)).toMatchObject({
      spend: { spendNanoUsd: usd("2"), periodStartedAt: NOW - DAY },
    });
  });
});

it("a read that the beginning of a period has overtaken changes nothing, and nobody hears of it", async () => {
  const config = aTenantConfig({ litellmKeyLastReset: NOW + 10 * SECOND });
  const known = { spendNanoUsd: usd("3"), readAt: null, source: "webhook" } as const;
  world.inPostgres(config, known);
  world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("540") }));
  expect(await refresh(aSpendRecord(known), config)).toMatchObject({ spend: { spendNanoUsd: usd("3"), readAt: null } });
  expect(sent("observed")).toEqual([]);
});

describe("who may read", () => {
  beforeEach(() => {
    world.inPostgres(aTenantConfig());
    world.litellm.has(aLiteLlmRow());
  });

  it("the second in this isolate may not, and asks nobody", async () => {
    await refresh();
    expect(await refresh()).toEqual({ kind: "held" });
    expect([world.litellm.reads.length, world.claims.calls("claimRefresh")]).toEqual([1, 1]);
  });

  it("another tenant may", async () => {
    await refresh();
    world.inPostgres(aTenantConfig({ tenantId: idOf("other") }));
    expect((await refresh(earlier, aTenantConfig({ tenantId: idOf("other") }))).kind).toBe("read");
  });
});

describe("Postgres answers after its patience", () => {
  const late = async (arrange: () => void) => {
    arrange();
    world.litellm.has(aLiteLlmRow());
    world.tenants.trouble("load", 300);
    expect((await refresh()).kind).toBe("read");
  };

  it("that the tenant is gone: forgotten, and its tombstone is left behind the answer", async () => {
    await late(() => world.memory.rememberTenant(ACME, { config: aTenantConfig(), spend: earlier }, NOW));
    expect(world.memory.tenant(ACME)).toBeNull();
    expect(world.kv.configs.get(ACME)).toMatchObject({ deletedRevision: 1 });
  });

  it("with a newer config: remembered and written to KV for the next check", async () => {
    await late(() => world.inPostgres(aTenantConfig({ revision: 5, maxBudgetNanoUsd: usd("7") })));
    expect(world.memory.tenant(ACME)?.config).toMatchObject({ revision: 5 });
    expect(world.kv.configs.get(ACME)).toMatchObject({ revision: 5, maxBudgetNanoUsd: usd("7") });
  });
});

describe("nobody hears of a failure but the log", () => {
  it("Postgres slower than its patience: the read does not wait for it", async () => {
    world.inPostgres(aTenantConfig());
    world.tenants.trouble("load", "hangs");
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("450") }));
    const input = { config: aTenantConfig(), spend: null, colo: "FRA", now: NOW, exclusiveSeconds: 5 };
    const outcome = await world.timers.runUntil(startRefresh(input, world.deps()));
    expect(outcome).toMatchObject({ kind: "read", spend: { spendNanoUsd: usd("450") } });
    expect(world.timers.elapsedMs).toBe(40);
    expect(world.kv.spends.get(ACME)).toMatchObject({ spendNanoUsd: usd("450") });
  });

  it("Postgres that is far away is heard all the same: KV gets its newer config behind the answer", async () => {
    world.inPostgres(aTenantConfig({ revision: 9 }));
    world.tenants.trouble("load", 60);
    world.litellm.has(aLiteLlmRow());
    expect(await refresh()).toMatchObject({ kind: "read", config: { revision: 1 } });
    expect(world.kv.configs.get(ACME)).toMatchObject({ revision: 9 });
    expect(world.memory.tenant(ACME)).toMatchObject({ config: { revision: 9 } });
  });

  it("what was read of a former subject is nobody's spend", async () => {
    const other = { kind: "key", id: hashOf("b") } as const;
    world.inPostgres(aTenantConfig({ revision: 9, subject: other }));
    world.litellm.has(aLiteLlmRow({ spendNanoUsd: usd("600") }));
    expect(await refresh()).toMatchObject({ kind: "failed", known: { config: { revision: 9, subject: other } } });
    expect(world.kv.spends.get(ACME)).toBeUndefined();
    expect(sent("observed")).toEqual([]);
  });

  it("a failed read ends in what was known, and a success afterwards forgets it", async () => {
    world.inPostgres(aTenantConfig({ revision: 7 }));
    world.litellm.has(aLiteLlmRow());
    world.litellm.nextTries.push(AWAY);
    const input = { config: aTenantConfig(), spend: earlier, colo: "FRA", now: NOW, exclusiveSeconds: 5 };
    const outcome = await world.timers.runUntil(startRefresh(input, world.deps()));
    expect(outcome).toMatchObject({ kind: "failed", known: { config: { revision: 7 } } });
    expect(world.memory.failedRecently(ACME, world.clock())).toBe(true);
    await world.untilQuiet();
    expect(world.memory.failedRecently(ACME, world.clock())).toBe(false);
  });

  it("a bug in a port is a failed read with a log line, and never a rejection", async () => {
    world.reads.trouble("readSubject", new TypeError("a bug"));
    expect(await refresh()).toMatchObject({ kind: "failed", known: { spend: earlier } });
    expect(world.log.lines).toContain("error refresh a tenant failed {} TypeError: a bug");
  });

  it("a tombstone that cannot be written is logged", async () => {
    world.litellm.has(aLiteLlmRow());
    world.snapshots.trouble("writeDeleted", new Error("429"));
    expect(await refresh()).toEqual({ kind: "gone" });
    expect(world.log.lines).toContain("error refresh a tenant failed {} Error: 429");
  });
});
