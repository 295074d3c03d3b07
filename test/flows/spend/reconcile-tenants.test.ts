// The sweep's reconcile: every tenant is read once per turn, its spend is recorded and announced like any other, and a
// failed read is repeated. On a real Postgres and the simulator of LiteLLM.

import { describe, expect, it } from "vitest";
import type { KeyHash } from "../../../src/budget/tenant.ts";
import { LEASE_MS } from "../../../src/flows/spend/lease-reads.ts";
import { reconcileTenants } from "../../../src/flows/spend/reconcile-tenants.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { failure, success } from "../../../src/ports/result.ts";
import type { LiteLlmRow } from "../../../src/records/litellm-row.ts";
import { DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { idOf, incomingOf } from "../../support/builders/builders.ts";
import { aCall } from "../../support/builders/spend-messages.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { HOUR, START, useReconcileWorld } from "../../support/worlds/reconcile-world.ts";

const never = (): never => {
  throw new Error("nothing was queued");
};

const {
  key,
  readPaths,
  sweep,
  takeQueued,
  sweepAndReconcile,
  addTenant,
  adopt,
  world,
  deps,
  alerts,
  notices,
  spendOf,
} = useReconcileWorld();

describe("leases", () => {
  it("read a tenant without spend, and then skip it for three quarters of an hour", async () => {
    await world.db.query("delete from tenant_spend");
    expect((await sweepAndReconcile()).leased).toEqual(["acme"]);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, readAt: START + SECOND, source: "litellm" });
    world.now = START + SECOND + 45 * MINUTE;
    expect((await sweepAndReconcile()).leased).toEqual([]);
    world.now += SECOND;
    expect((await sweepAndReconcile()).leased).toEqual(["acme"]);
  });

  it("read a hundred keys in one call of LiteLLM, and the rest three seconds later", async () => {
    for (let number = 0; number < 110; number++) {
      await world.db.query(
        `insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at, litellm_sync)
         values ($1, 'key', $2, $3, 'synced')`,
        [`t${number}`, sha256(`sk-${number}`), new Date(NOW - DAY)],
      );
    }
    await sweep();
    expect(deps.spendQueue.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 3]);
    const { reconciles } = takeQueued();
    expect(reconciles.map(({ tenantIds }) => tenantIds.length)).toEqual([100, 11]);
    world.now += SECOND;
    for (const each of reconciles) await reconcileTenants({ ...each, now: world.now }, deps);
    expect(readPaths().filter((path) => path === "/v2/key/info")).toHaveLength(2);
  });

  it("read every tenant once with two sweeps and two consumers at once", async () => {
    for (const name of ["b", "c", "d"]) await addTenant(name);
    await Promise.all([sweep(), sweep()]);
    const { reconciles } = takeQueued();
    expect(reconciles.flatMap(({ tenantIds }) => tenantIds).sort()).toEqual(["acme", "b", "c", "d"]);
    world.now += SECOND;
    const twice = [...reconciles, ...reconciles].map((each) => reconcileTenants({ ...each, now: world.now }, deps));
    await Promise.all(twice);
    expect(readPaths()).toEqual(reconciles.map(() => "/v2/key/info"));
    expect(await world.db.query("select tenant_id from tenant_configs where read_leased_until is not null")).toEqual(
      [],
    );
  });

  it("read nothing for a late message whose tenants were leased again", async () => {
    await sweep();
    const { reconciles } = takeQueued();
    world.now = START + LEASE_MS + 1;
    expect((await sweepAndReconcile()).leased).toEqual(["acme"]);
    world.litellm.clearRequests();
    for (const each of reconciles) await reconcileTenants({ ...each, now: world.now }, deps);
    expect(readPaths()).toEqual([]);
  });

  it("lease tenants again after their lease expired when the queue refused", async () => {
    deps.spendQueue.isAway = true;
    await expect(sweep()).rejects.toThrow();
    deps.spendQueue.isAway = false;
    world.now = START + LEASE_MS;
    expect((await sweepAndReconcile()).leased).toEqual([]);
    world.now = START + LEASE_MS + SECOND + 1;
    expect((await sweepAndReconcile()).leased).toEqual(["acme"]);
  });

  it("skip a tenant that is deleted before its message arrives", async () => {
    await sweep();
    const { reconciles } = takeQueued();
    await world.db.query("delete from tenant_configs");
    for (const each of reconciles) await reconcileTenants({ ...each, now: world.now }, deps);
    expect(readPaths()).toEqual([]);
  });
});

it("announce nothing for a tenant that is deleted while LiteLLM is read", async () => {
  world.litellm.setSpend(key, 560);
  await sweepAndReconcile();
  world.litellm.setSpend(key, 100);
  world.now += HOUR;
  const { readKeys } = deps.litellm;
  deps.litellm.readKeys = async (keys) => {
    await world.db.query("update tenant_configs set deleted_at = now()");
    return readKeys(keys);
  };
  await sweepAndReconcile();
  expect(await notices()).toEqual(["budget_blocked"]);
});

describe("a key that LiteLLM's list does not show", () => {
  const list = (rows: ReadonlyMap<KeyHash, LiteLlmRow>) => {
    deps.litellm.readKeys = async () => success(rows);
  };

  it("leads to a read of the key alone, whose spend is announced", async () => {
    world.litellm.setSpend(key, 560);
    list(new Map());
    await sweepAndReconcile();
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(readPaths()).toEqual(["/key/info"]);
  });

  it("counts as unknown only when LiteLLM says so of the key alone", async () => {
    list(new Map());
    deps.litellm.readSubject = async () => failure(UNPARSEABLE);
    const { others } = await sweepAndReconcile();
    expect(others).toEqual([]);
    expect(deps.log.lines).toContainEqual(expect.stringContaining('"why":"unparseable answer"'));
    deps.litellm.readSubject = async () => failure({ kind: "not_found" });
    world.now += HOUR;
    const syncs = (await sweepAndReconcile()).others.filter(({ kind }) => kind === "sync_litellm");
    expect(syncs).toMatchObject([{ tenant_id: "acme" }]);
    expect((await deps.tenants.load(idOf("acme")))?.config.subjectMissingAt).toBe(world.now);
  });

  it("alerts the operators once a day when LiteLLM answers and no tenant of a batch can be read", async () => {
    await addTenant("globex");
    list(new Map());
    deps.litellm.readSubject = async () => failure(UNPARSEABLE);
    for (let hour = 0; hour < 23; hour++) {
      await sweepAndReconcile();
      world.now += HOUR;
    }
    expect(await platformAlerts()).toEqual([
      { kind: "litellm_unreadable", detail: { tenants: 2, tenant_id: "acme", error: "unparseable answer" } },
    ]);
    world.now += 2 * HOUR;
    await sweepAndReconcile();
    expect(await platformAlerts()).toHaveLength(2);
  });

  it("alerts nobody when one tenant of a batch can be read, or LiteLLM does not answer", async () => {
    await addTenant("globex");
    list(new Map());
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (subject, options) =>
      subject.id === key ? failure(UNPARSEABLE) : readSubject.call(deps.litellm, subject, options);
    await sweepAndReconcile();
    deps.litellm.readSubject = async () => failure({ kind: "unreachable", why: "network" });
    world.now += HOUR;
    await sweepAndReconcile();
    expect(await platformAlerts()).toEqual([]);
  });

  const UNPARSEABLE = { kind: "unreachable", why: "unparseable answer", isUnparseable: true } as const;
  const platformAlerts = async () => world.db.query("select kind, detail from platform_alerts order by created_at");
});

it("log LiteLLM's refusal with its kind", async () => {
  deps.litellm.readKeys = async () => failure({ kind: "refused", status: 401, param: null, message: "no" });
  await sweepAndReconcile();
  expect(deps.log.lines).toContain('warn litellm read failed {"tenants":1,"tenant_id":"acme","why":"refused"}');
});

describe("the result of a read", () => {
  it.each([
    ["announces nothing at 79.99 percent", 399.95, []],
    ["announces the threshold at 80.00 percent", 400, ["threshold_crossed"]],
    ["announces a jump to 110 percent as a block", 550, ["budget_blocked"]],
  ])("%s", async (_, spend, expected) => {
    world.litellm.setSpend(key, spend);
    await sweepAndReconcile();
    expect(await notices()).toEqual(expected);
    expect(deps.noticeQueue.sent).toHaveLength(2 * expected.length);
  });

  it("announces an alert once, however often it is read", async () => {
    world.litellm.setSpend(key, 400);
    for (let hour = 0; hour < 3; hour++) {
      await sweepAndReconcile();
      world.now += HOUR;
    }
    expect(await notices()).toEqual(["threshold_crossed"]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("records what an adopted tenant already exceeded as its baseline, and announces later thresholds", async () => {
    await adopt("globex", 17);
    world.litellm.setSpend(sha256("sk-globex-0123456789abcdef"), 20.5);
    await sweepAndReconcile();
    expect((await alerts()).map(({ event_type: event, silent }) => [event, silent])).toEqual([
      ["threshold_crossed", true],
      ["budget_crossed", false],
    ]);
  });

  it("lowers spend that somebody lowered in LiteLLM by a second read, and resolves the block", async () => {
    world.litellm.setSpend(key, 560);
    await sweepAndReconcile();
    world.litellm.setSpend(key, 100);
    world.now += HOUR;
    const { others } = await sweepAndReconcile();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560") });
    world.now += 61 * SECOND;
    const [proof] = others;
    await recordSpend({ incoming: [incomingOf(proof ?? never())], now: world.now }, deps);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("100") });
    expect(await notices()).toEqual(["budget_blocked", "budget_resolved"]);
  });

  it("keeps a call that was counted between the read and its recording", async () => {
    const { load } = deps.ledgers;
    await sweepAndReconcile();
    world.now += HOUR;
    world.litellm.setSpend(key, 50);
    let isFirst = true;
    deps.ledgers.load = async (asked) => {
      const opened = await load(asked);
      const call = aCall(key, "20", { endedAt: world.now + 10 * SECOND });
      if (isFirst) await recordSpend({ incoming: [incomingOf(call)], now: world.now }, deps);
      isFirst = false;
      return opened;
    };
    await sweepAndReconcile();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("70"), readAt: world.now });
  });

  it("R1: a new period advances the config as every other read does, once and audited", async () => {
    world.litellm.setSpend(key, 560);
    await sweepAndReconcile();
    const before = await deps.tenants.load(idOf("acme"));
    const resetsAt = before?.config.budgetResetAt ?? 0;
    world.now = resetsAt + HOUR;
    world.litellm.runResetJob();
    world.litellm.setSpend(key, 3);
    await sweepAndReconcile();
    const after = await deps.tenants.load(idOf("acme"));
    expect(after?.config).toMatchObject({ litellmKeyLastReset: resetsAt });
    expect(after?.config.budgetResetAt).toBeGreaterThan(resetsAt);
    expect(after?.spend).toMatchObject({ spendNanoUsd: usd("3"), periodStartedAt: resetsAt });
    expect(deps.snapshots.configs.get(idOf("acme"))).toEqual(after?.config);
    expect(await world.db.query("select 1 as n from audit_log where action = 'period_advanced'")).toHaveLength(1);
  });

  it("keeps the lease of a tenant whose ledger keeps changing or who is gone by then", async () => {
    const { load, save } = deps.ledgers;
    deps.ledgers.save = async () => [];
    world.litellm.setSpend(key, 50);
    await sweepAndReconcile();
    deps.ledgers = { ...deps.ledgers, load: async () => [], save };
    world.now += 2 * LEASE_MS;
    await sweepAndReconcile();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
    deps.ledgers = { ...deps.ledgers, load };
    world.now += 2 * LEASE_MS;
    await sweepAndReconcile();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("50") });
  });

  it("reads each team separately", async () => {
    const { team_id: id } = await world.manage("POST", "/team/new", { team_alias: "red", max_budget: 100 });
    const origin = { kind: "adopted", subject: { kind: "team", id } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("red"), origin, settings: {} }), deps);
    world.now += HOUR;
    world.litellm.clearRequests();
    await sweepAndReconcile();
    expect(readPaths().sort()).toEqual(["/team/info", "/v2/key/info"]);
    expect(await spendOf("red")).toMatchObject({ readAt: world.now });
  });
});
