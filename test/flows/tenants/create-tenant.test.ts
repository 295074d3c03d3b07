// Creating tenants with a key of their own. Real Postgres, LiteLLM's simulator.

import { describe, expect, it } from "vitest";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { NOW, RESET, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const { world, deps } = useAdminWorld();

const created = async (...input: Parameters<typeof ownKeyInput>) => {
  const result = await createTenant(ownKeyInput(...input), deps);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value.tenant;
};

describe("a tenant with a key of its own", () => {
  it("starts with the default budget and no spend, and LiteLLM has its key with both thresholds", async () => {
    const tenant = await created();
    expect(tenant).toMatchObject({
      config: { maxBudgetNanoUsd: usd("500"), alertThreshold: 8_000n, graceThreshold: 11_000n, budgetResetAt: RESET },
      sync: { status: "synced", error: null },
      spend: { spendNanoUsd: 0n, resetsAt: RESET, source: "litellm" },
      encryptedKey: null,
      adopted: false,
    });
    expect(await world.keyRow(hash)).toMatchObject({
      key_alias: "acme",
      max_budget: 550,
      budget_duration: "30d",
      metadata: { tenant_id: "acme" },
      litellm_budget_table: { soft_budget: 400 },
    });
    expect(await deps.tenants.load(acme)).toEqual(tenant);
    expect(tenant.sync.budgetId).toBe((await world.keyRow(hash)).budget_id);
  });

  it("counts in weeks, which LiteLLM gets as days", async () => {
    const { config } = await created({ settings: { budgetDuration: "2w" } });
    expect(config).toMatchObject({ budgetDuration: "2w", budgetResetAt: Date.UTC(2026, 10, 29) });
    expect(await world.keyRow(hash)).toMatchObject({ budget_duration: "14d" });
  });

  it("reaches the edge at once, and again after KV has settled", async () => {
    const tenant = await created();
    expect(deps.snapshots.configs.get(acme)).toEqual(tenant.config);
    expect(deps.snapshots.spends.get(acme)).toEqual(tenant.spend);
    expect(deps.snapshots.owners.get(hash)).toBe("acme");
    expect(deps.memory.tenantOf(hash, NOW)).toBe("acme");
    expect(deps.memory.tenant(acme)).toMatchObject({ config: tenant.config, spend: tenant.spend });
    const message = { kind: "rewrite_config", tenant_id: "acme" };
    expect(deps.spendQueue.sent).toEqual([
      { message, delaySeconds: 5 },
      { message, delaySeconds: 65 },
    ]);
  });

  it("takes nothing over from an earlier tenant of the same id", async () => {
    const stale = { ...(await created()).config, maxBudgetNanoUsd: 1n };
    await deps.tenants.markDeleted(acme, anActor());
    await syncLiteLlm({ tenantId: acme, now: NOW }, deps);
    await deps.tenants.remove(acme);
    const spend = { ...deps.snapshots.spends.get(acme), spendNanoUsd: usd("999") };
    deps.memory.rememberTenant(acme, { config: stale, spend: spend as never }, NOW);
    const again = await created();
    expect(deps.memory.tenant(acme)).toMatchObject({ config: again.config, spend: { spendNanoUsd: 0n } });
  });

  it("takes another alias when LiteLLM has given the tenant's id to a key already", async () => {
    await world.manage("POST", "/key/generate", { key_alias: "acme" });
    expect((await created()).sync.status).toBe("synced");
    expect((await world.keyRow(hash)).key_alias).toBe(`acme-${hash.slice(0, 8)}`);
  });

  it("leaves LiteLLM without limits under observe, but with the duration and the ownership metadata", async () => {
    await created({ settings: { enforcement: "observe" } });
    expect((await deps.tenants.load(acme))?.sync.hasSetLimits).toBe(false);
    expect(await world.keyRow(hash)).toMatchObject({
      max_budget: null,
      budget_id: null,
      budget_duration: "30d",
      metadata: { tenant_id: "acme" },
    });
  });

  it("creates a pending tenant with an encrypted key while LiteLLM is away, and the sweep creates that very key", async () => {
    await world.litellm.stop();
    const tenant = await created();
    expect(tenant.sync).toMatchObject({ status: "pending", error: expect.stringContaining("cannot be reached") });
    expect(tenant.encryptedKey).toMatch(/^v1\.k1\./);
    expect(tenant.encryptedKey).not.toContain("virtual-key");
    expect(deps.snapshots.configs.get(acme)).toEqual(tenant.config);

    await world.litellm.restart();
    await syncLiteLlm({ tenantId: acme, now: NOW }, { ...world.deps() });
    expect(await deps.tenants.load(acme)).toMatchObject({ sync: { status: "synced" }, encryptedKey: null });
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550 });
  });

  it("finishes the creation once when LiteLLM created the key but its answer was lost", async () => {
    const { createKey } = deps.litellm;
    const lost = { ok: false, failure: { kind: "unreachable", why: "time-out" } } as const;
    deps.litellm.createKey = async (key, fields) => {
      await createKey(key, fields);
      return lost;
    };
    expect((await created()).sync.status).toBe("pending");
    world.litellm.clearRequests();
    const synced = await syncLiteLlm({ tenantId: acme, now: NOW }, world.deps());
    expect(synced.kind).toBe("synced");
    expect(world.changesSent()).toEqual([]);
    const { budget_id } = await world.keyRow(hash);
    expect((await deps.tenants.load(acme))?.sync.budgetId).toBe(budget_id);
    expect(await deps.tenants.load(acme)).toMatchObject({ encryptedKey: null, config: { budgetResetAt: RESET } });
  });

  it("deletes the tenant entirely when LiteLLM refuses it", async () => {
    deps.litellm.createKey = async () => ({
      ok: false,
      failure: { kind: "refused", status: 400, param: null, message: "Key=sk-… is no good" },
    });
    expect(await createTenant(ownKeyInput(), deps)).toEqual({
      ok: false,
      failure: { kind: "litellm_refused", status: 400, message: "Key=sk-… is no good" },
    });
    expect(await deps.tenants.loadEvenDeleted(acme)).toBeNull();
    expect(deps.snapshots.configs.size).toBe(0);
    const audit = await world.db.query<{ action: string }>("select action from audit_log order by id");
    expect(audit.map(({ action }) => action)).toEqual(["tenant_created", "tenant_deleted"]);
  });

  it("keeps a refused tenant as deleted while LiteLLM may still have its key", async () => {
    const failure = { kind: "refused", status: 400, param: null, message: "no" } as const;
    deps.litellm.createKey = async () => ({ ok: false, failure });
    deps.litellm.deleteKey = async () => ({ ok: false, failure });
    expect(await createTenant(ownKeyInput(), deps)).toMatchObject({ failure: { kind: "litellm_refused" } });
    const kept = await deps.tenants.loadEvenDeleted(acme);
    expect([kept?.deletedAt, kept?.sync.status]).toEqual([NOW, "pending"]);
  });

  it.each([
    ["is already deleted", async () => null],
    [
      "cannot be deleted now",
      async () => {
        throw new Error("postgres away");
      },
    ],
  ])("returns LiteLLM's refusal although the tenant %s", async (_, markDeleted) => {
    deps.litellm.createKey = async () => ({
      ok: false,
      failure: { kind: "refused", status: 400, param: null, message: "no" },
    });
    deps.tenants.markDeleted = markDeleted;
    expect(await createTenant(ownKeyInput(), deps)).toMatchObject({
      ok: false,
      failure: { kind: "litellm_refused", message: "no" },
    });
  });

  it.each([
    ["is not accepted", async () => []],
    [
      "cannot be recorded",
      async () => {
        throw new Error("postgres away");
      },
    ],
  ])("creates the tenant although its first spend %s: the first check reads it", async (_, load) => {
    deps.ledgers.load = load;
    expect(await created()).toMatchObject({ sync: { status: "synced" }, spend: null });
  });

  it("creates no second tenant under one id, without a call of LiteLLM", async () => {
    await created();
    world.litellm.clearRequests();
    const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: sha256("sk-other") } as const;
    const again = await createTenant(ownKeyInput({ origin }), deps);
    expect(again).toEqual({ ok: false, failure: { kind: "tenant_taken" } });
    expect(world.litellm.requests()).toEqual([]);
  });

  it("creates the tenant although KV and the queue are away, and logs what failed", async () => {
    deps.snapshots.isAway = true;
    deps.spendQueue.isAway = true;
    expect((await created()).sync.status).toBe("synced");
    expect(deps.log.lines.filter((line) => /^error (kv|config) .* failed/.test(line))).toHaveLength(5);
  });

  it("creates the tenant and shows its key although Postgres fails before LiteLLM's answer is recorded", async () => {
    deps.tenants.recordSync = async () => {
      throw new Error("broken off");
    };
    expect((await created()).sync.status).toBe("pending");
  });

  it("does nothing at all when Postgres is away", async () => {
    world.db.away();
    try {
      await expect(createTenant(ownKeyInput(), deps)).rejects.toThrow("postgres");
    } finally {
      world.db.back();
    }
    expect(world.litellm.requests()).toEqual([]);
    expect(await deps.tenants.load(acme)).toBeNull();
  });

  it("never puts its key into a log line or the database in the clear", async () => {
    await world.litellm.stop();
    await created();
    const rows = await world.db.query(
      "select to_jsonb(t) as t, (select jsonb_agg(a) from audit_log a) as a from tenant_configs t",
    );
    expect(JSON.stringify(rows) + deps.log.lines.join()).not.toContain(VIRTUAL_KEY);
    await world.litellm.restart();
  });
});
