// Creating tenants by adopting a key or a team that LiteLLM has. Real Postgres, LiteLLM's simulator.

import { describe, expect, it } from "vitest";
import type { KeyHash } from "../../../src/budget/tenant.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { success } from "../../../src/ports/result.ts";
import type { LiteLlmRow } from "../../../src/records/litellm-row.ts";
import { DAY, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const HOUR = 60 * MINUTE;
const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const { world, deps } = useAdminWorld();

describe("adopting a key", () => {
  const adopt = (settings = {}) =>
    createTenant(ownKeyInput({ settings, origin: { kind: "adopted", subject: { kind: "key", id: hash } } }), deps);
  const adopted = async (settings = {}) => {
    const result = await adopt(settings);
    if (!result.ok) throw new Error(JSON.stringify(result.failure));
    return result.value.tenant;
  };
  const generate = (fields: object = {}) =>
    world.manage("POST", "/key/generate", {
      key: VIRTUAL_KEY,
      max_budget: 20,
      soft_budget: 3,
      budget_duration: "7d",
      user_id: "somebody",
      metadata: { team: "red" },
      ...fields,
    });

  describe("after LiteLLM has regenerated the key of a tenant", () => {
    const regenerated = "f".repeat(64) as KeyHash;
    const adoptAs = (name: string) =>
      createTenant(
        ownKeyInput({ tenantId: idOf(name), origin: { kind: "adopted", subject: { kind: "key", id: regenerated } } }),
        deps,
      );
    /** LiteLLM answers for the new hash with the row of the old one. */
    const regenerate = (differences: Partial<LiteLlmRow> = {}) => {
      const { readSubject } = deps.litellm;
      deps.litellm.readSubject = async (subject, options) => {
        if (subject.id !== regenerated) return readSubject(subject, options);
        const row = await readSubject({ kind: "key", id: hash }, options);
        return row.ok ? success({ ...row.value, subject, ...differences }) : row;
      };
    };

    it("refuses to adopt it under another id, whose limit would be the first tenant's block threshold", async () => {
      await generate();
      const first = await adopted();
      regenerate();
      expect(await adoptAs("copy")).toEqual({ ok: false, failure: { kind: "subject_taken" } });
      expect((await deps.tenants.load(first.config.tenantId))?.config).toEqual(first.config);
    });

    it("adopts a key that only has the tenant's label", async () => {
      await generate();
      await adopted();
      regenerate({ createdAt: NOW - DAY });
      expect((await adoptAs("copy")).ok).toBe(true);
    });
  });

  it("records LiteLLM's values before the first update when an enforced adoption is overtaken by another change", async () => {
    await generate();
    await adopted({ enforcement: "observe" });
    await deps.tenants.change(acme, { enforcement: "enforce" }, anActor());
    const { recordPriorValues } = deps.tenants;
    let rounds = 0;
    const recordOvertaken = async (...values: Parameters<typeof recordPriorValues>) => {
      if (rounds++ === 0) await deps.tenants.change(acme, { name: "Acme" }, anActor());
      return recordPriorValues(...values);
    };
    deps.tenants = { ...deps.tenants, recordPriorValues: recordOvertaken };
    expect(await syncLiteLlm({ tenantId: acme, now: world.now }, deps)).toMatchObject({ kind: "synced" });
    expect(rounds).toBe(2);
    expect((await deps.tenants.load(acme))?.priorValues).toMatchObject({ maxBudget: "20" });
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 22 });
  });

  it("takes LiteLLM's settings, spend and dates, keeps existing values, and merges the metadata", async () => {
    await generate();
    world.litellm.setSpend(hash, 12.5);
    world.now = NOW + HOUR;
    const tenant = await adopted();
    const row = await world.keyRow(hash);
    expect(tenant).toMatchObject({
      adopted: true,
      config: {
        maxBudgetNanoUsd: usd("20"),
        budgetDuration: "7d",
        subjectCreatedAt: NOW,
        budgetResetAt: Date.parse(row.budget_reset_at),
      },
      spend: { spendNanoUsd: usd("12.5"), periodStartedAt: NOW, readAt: NOW + HOUR, source: "litellm" },
      priorValues: { maxBudget: "20", softBudget: "3", budgetDuration: "7d", metadata: { team: "red" } },
      sync: { status: "synced" },
      encryptedKey: null,
    });
    expect(row).toMatchObject({
      max_budget: 22,
      user_id: "somebody",
      metadata: { team: "red", tenant_id: "acme" },
      litellm_budget_table: { soft_budget: 3 },
    });
    expect(world.changesSent()).toEqual(["/key/generate", "/key/update"]);
  });

  it("sends no duration that LiteLLM has already, which would move its reset", async () => {
    await generate({ budget_duration: "1h" });
    const { budget_reset_at } = await world.keyRow(hash);
    world.now = NOW + 50 * 60_000;
    world.litellm.setSpend(hash, 1);
    await adopted();
    expect((await world.keyRow(hash)).budget_reset_at).toBe(budget_reset_at);
  });

  it("prefers the administrator's settings to LiteLLM's", async () => {
    await generate();
    const tenant = await adopted({ maxBudgetNanoUsd: usd("100"), budgetDuration: "1d", graceThreshold: 10_000n });
    const row = await world.keyRow(hash);
    expect(row).toMatchObject({ max_budget: 100, budget_duration: "1d" });
    expect(tenant.config.budgetResetAt).toBe(Date.parse(row.budget_reset_at));
  });

  it("keeps a budget that never resets, and gives 500 dollars where LiteLLM has no budget", async () => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY });
    const { config } = await adopted({ enforcement: "observe" });
    expect(config).toMatchObject({ maxBudgetNanoUsd: usd("500"), budgetDuration: null, budgetResetAt: null });
  });

  it("refuses to enforce the default budget on a key without a budget", async () => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY });
    expect(await adopt()).toEqual({ ok: false, failure: { kind: "no_max_budget" } });
    expect(await deps.tenants.loadEvenDeleted(acme)).toBeNull();
    expect((await adopted({ maxBudgetNanoUsd: usd("9") })).config.maxBudgetNanoUsd).toBe(usd("9"));
  });

  it("takes the limit of a shared budget object for the key, and leaves the object alone", async () => {
    const shared = { budget_id: "shared", max_budget: 20, soft_budget: 3, budget_duration: "30d" };
    await world.manage("POST", "/budget/new", shared);
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, budget_id: "shared" });
    const tenant = await adopted();
    expect(tenant).toMatchObject({
      config: { maxBudgetNanoUsd: usd("20"), budgetDuration: "30d" },
      priorValues: { maxBudget: null, budgetDuration: null },
      sync: { status: "synced", budgetId: null },
    });
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 22, litellm_budget_table: shared });
  });

  it.each(["banana", "2mo"])("replaces a duration that LiteLLM cannot keep by the default: %s", async (kept) => {
    await generate();
    const { readSubject } = deps.litellm;
    let isFirst = true;
    deps.litellm.readSubject = async (...input) => {
      const litellmRow = await readSubject(...input);
      const result =
        isFirst && litellmRow.ok ? { ...litellmRow, value: { ...litellmRow.value, budgetDuration: kept } } : litellmRow;
      isFirst = false;
      return result;
    };
    expect((await adopted()).config.budgetDuration).toBe("30d");
  });

  it("changes nothing but the ownership metadata under observe", async () => {
    await generate();
    await adopted({ enforcement: "observe", maxBudgetNanoUsd: usd("1") });
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20, metadata: { team: "red", tenant_id: "acme" } });
  });

  it("reports a key that LiteLLM does not know, and creates nothing", async () => {
    expect(await adopt()).toEqual({ ok: false, failure: { kind: "subject_not_found" } });
    expect(await deps.tenants.loadEvenDeleted(acme)).toBeNull();
  });

  it("creates nothing while LiteLLM is away", async () => {
    await world.litellm.stop();
    expect(await adopt()).toMatchObject({ ok: false, failure: { kind: "litellm_unreachable" } });
    expect(await deps.tenants.loadEvenDeleted(acme)).toBeNull();
    await world.litellm.restart();
  });

  it("refuses a key of another tenant, and leaves LiteLLM unchanged", async () => {
    await generate();
    await adopted();
    world.litellm.clearRequests();
    const origin = { kind: "adopted", subject: { kind: "key", id: hash } } as const;
    const again = await createTenant(ownKeyInput({ tenantId: idOf("other"), origin }), deps);
    expect(again).toEqual({ ok: false, failure: { kind: "subject_taken" } });
    expect(world.changesSent()).toEqual([]);
  });

  it("returns LiteLLM's refusal to show the key", async () => {
    const failure = { kind: "refused", status: 403, param: null, message: "not yours" } as const;
    deps.litellm.readSubject = async () => ({ ok: false, failure });
    expect(await adopt()).toEqual({
      ok: false,
      failure: { kind: "litellm_refused", status: 403, message: "not yours" },
    });
  });

  it("begins the period now when LiteLLM does not know when the key was created", async () => {
    await generate();
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (...input) => {
      const read = await readSubject(...input);
      return read.ok ? { ok: true, value: { ...read.value, createdAt: null } } : read;
    };
    expect((await adopted()).config.subjectCreatedAt).toBe(NOW);
  });

  it("restores the key when LiteLLM refuses the desired state", async () => {
    await generate();
    const { updateSubject } = deps.litellm;
    deps.litellm.updateSubject = async (subject, fields) => {
      if (fields.maxBudgetNanoUsd !== usd("22")) return updateSubject(subject, fields);
      await updateSubject(subject, fields);
      return { ok: false, failure: { kind: "refused", status: 400, param: null, message: "no" } };
    };
    expect(await adopt()).toMatchObject({ ok: false, failure: { kind: "litellm_refused", status: 400 } });
    expect(await deps.tenants.loadEvenDeleted(acme)).toBeNull();
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20, metadata: { team: "red" } });
    expect((await world.keyRow(hash)).metadata).not.toHaveProperty("tenant_id");
  });
});

describe("adopting a team", () => {
  const adopt = (settings = {}) =>
    createTenant(ownKeyInput({ settings, origin: { kind: "adopted", subject: { kind: "team", id: "red" } } }), deps);

  it("sets both budgets on the team itself, and registers no key", async () => {
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 100, metadata: { a: 1 } });
    expect(await adopt()).toMatchObject({ ok: true, value: { tenant: { sync: { status: "synced" } } } });
    expect(await world.teamRow("red")).toMatchObject({
      max_budget: 110,
      soft_budget: 80,
      metadata: { a: 1, tenant_id: "acme" },
    });
    expect(await world.db.query("select * from tenant_keys")).toEqual([]);
    expect([...deps.snapshots.owners]).toEqual([["team:red", "acme"]]);
  });

  it("leaves a team without a soft budget where it would not be below the limit, which LiteLLM refuses", async () => {
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 100, soft_budget: 90 });
    const result = await adopt({ maxBudgetNanoUsd: 0n });
    expect(result).toMatchObject({ ok: true, value: { tenant: { sync: { status: "synced" } } } });
    expect(await world.teamRow("red")).toMatchObject({ max_budget: 0, soft_budget: null });
  });
});
