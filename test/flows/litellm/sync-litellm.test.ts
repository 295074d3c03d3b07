// Syncing LiteLLM to the desired state: sends only differences, records why it is pending, and never records an
// outdated state as synced.

import { beforeEach, describe, expect, it } from "vitest";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);

describe("syncing", () => {
  const { world, deps } = useAdminWorld();

  beforeEach(async () => {
    await createTenant(ownKeyInput(), deps);
    world.litellm.clearRequests();
  });

  const sync = () => syncLiteLlm({ tenantId: acme, now: NOW }, deps);

  /** Changes the tenant before the first of these notes. Returns how often it was noted. */
  const overtakeFirst = (verb: "noteBlock" | "noteMark") => {
    const note = deps.tenants[verb] as (tenantId: typeof acme, revision: number) => Promise<never>;
    let notes = 0;
    const noteOvertaken: typeof note = async (...noted) => {
      if (notes++ === 0) await deps.tenants.change(acme, { name: "Acme" }, anActor());
      return note(...noted);
    };
    deps.tenants = { ...deps.tenants, [verb]: noteOvertaken };
    return () => notes;
  };

  it("reads and sends nothing when LiteLLM has the desired state", async () => {
    expect((await sync()).kind).toBe("synced");
    expect(world.litellm.requests().map(({ path }) => path)).toEqual(["/key/info"]);
  });

  it("sends no block whose note another change has overtaken, and restarts with the new desired state", async () => {
    await deps.tenants.setSuspended(acme, true, anActor());
    const notes = overtakeFirst("noteBlock");
    expect((await sync()).kind).toBe("synced");
    expect(notes()).toBe(2);
    expect(await world.keyRow(hash)).toMatchObject({ blocked: true });
  });

  it("restores what an administrator changed in LiteLLM, and only that", async () => {
    await world.manage("POST", "/key/update", { key: hash, max_budget: 9_999, metadata: { note: "mine" } });
    await world.manage("POST", "/budget/update", {
      budget_id: (await world.keyRow(hash)).budget_id,
      soft_budget: 1,
    });
    expect((await sync()).kind).toBe("synced");
    expect(await world.keyRow(hash)).toMatchObject({
      max_budget: 550,
      metadata: { note: "mine", tenant_id: "acme" },
      litellm_budget_table: { soft_budget: 400 },
    });
  });

  it("reports a known key that LiteLLM has lost, and creates no new one", async () => {
    await world.manage("POST", "/key/delete", { keys: [hash] });
    world.litellm.clearRequests();
    expect(await sync()).toMatchObject({
      kind: "pending",
      tenant: { sync: { status: "pending", error: "LiteLLM does not know this key" } },
    });
    expect(world.changesSent()).toEqual([]);
  });

  it("returns removed for a tenant that does not exist", async () => {
    expect(await syncLiteLlm({ tenantId: idOf("nobody"), now: NOW }, deps)).toEqual({ kind: "removed" });
  });

  it("restarts when another change overtakes the tenant's first mark", async () => {
    await world.db.query("update tenant_configs set mark_nonce = null");
    const notes = overtakeFirst("noteMark");
    expect((await sync()).kind).toBe("synced");
    expect([notes(), (await world.keyRow(hash)).metadata]).toEqual([2, expect.objectContaining({ tenant_id: "acme" })]);
  });

  it("stays pending when LiteLLM does not take the soft budget", async () => {
    await deps.tenants.change(acme, { alertThreshold: 9_000n }, anActor());
    deps.litellm.updateSoftBudget = async () => ({ ok: false, failure: { kind: "unreachable", why: "status 500" } });
    expect(await sync()).toMatchObject({ kind: "pending", failure: { kind: "unreachable", why: "status 500" } });
  });

  it("keeps why LiteLLM refused, and stays pending", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    deps.litellm.updateSubject = async () => ({
      ok: false,
      failure: { kind: "refused", status: 400, param: null, message: "no: sk-…" },
    });
    await sync();
    expect((await deps.tenants.load(acme))?.sync).toMatchObject({
      status: "pending",
      error: "LiteLLM refused: no: sk-…",
    });
  });

  it("never records an older desired state as synced: a change made meanwhile is sent too", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    const { updateSubject } = deps.litellm;
    let meets = 1;
    deps.litellm.updateSubject = async (...input) => {
      if (meets-- > 0) await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("6") }, anActor());
      return updateSubject(...input);
    };
    expect((await sync()).kind).toBe("synced");
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 6.6 });
  });

  it("gives up after three rounds against a changing desired state, and leaves it pending", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    const { updateSubject } = deps.litellm;
    let dollars = 6;
    deps.litellm.updateSubject = async (...input) => {
      await deps.tenants.change(acme, { maxBudgetNanoUsd: usd(String(dollars++)) }, anActor());
      return updateSubject(...input);
    };
    expect((await sync()).kind).toBe("pending");
    expect(dollars).toBe(9);
    expect((await deps.tenants.load(acme))?.sync.status).toBe("pending");
  });

  it("finishes a deletion that happens during a sync", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("5") }, anActor());
    const { updateSubject } = deps.litellm;
    deps.litellm.updateSubject = async (...input) => {
      await deps.tenants.markDeleted(acme, anActor());
      return updateSubject(...input);
    };
    expect(await sync()).toEqual({ kind: "removed" });
    expect(await world.keyRow(hash)).toBeNull();
    expect(await deps.tenants.loadEvenDeleted(acme)).toMatchObject({ deletedAt: NOW, sync: { status: "synced" } });
  });

  it("includes overrides in the max_budget that LiteLLM blocks at", async () => {
    await world.db.query(
      `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, reason, created_by)
       values (gen_random_uuid(), 'acme', 100, $1, $2, '', '')`,
      [new Date(NOW), new Date(NOW + 1)],
    );
    await sync();
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 660, litellm_budget_table: { soft_budget: 480 } });
  });

  it("never writes to a shared budget object that an administrator has linked to Bursar's key", async () => {
    await world.manage("POST", "/budget/new", { budget_id: "shared", max_budget: 50, soft_budget: 7 });
    await world.manage("POST", "/key/update", { key: hash, budget_id: "shared" });
    for (let round = 0; round < 2; round++) {
      await deps.tenants.change(acme, { alertThreshold: 9_000n + BigInt(round) }, anActor());
      expect((await sync()).kind).toBe("synced");
    }
    const { max_budget, litellm_budget_table } = await world.keyRow(hash);
    expect([max_budget, litellm_budget_table.max_budget, litellm_budget_table.soft_budget]).toEqual([550, 50, 7]);
  });

  it("sends weeks to LiteLLM as days, and does not send them again", async () => {
    await deps.tenants.change(acme, { budgetDuration: "2w" }, anActor());
    expect((await sync()).kind).toBe("synced");
    expect(await world.keyRow(hash)).toMatchObject({ budget_duration: "14d" });
    expect((await deps.tenants.load(acme))?.config).toMatchObject({
      budgetDuration: "2w",
      budgetResetAt: Date.UTC(2026, 10, 29),
    });
    world.litellm.clearRequests();
    await sync();
    expect(world.changesSent()).toEqual([]);
  });

  it.each([
    ["does not take away", null],
    ["does not set", "1d"],
  ])("stays pending with the reason while there is a duration that LiteLLM %s", async (_, budgetDuration) => {
    await deps.tenants.change(acme, { budgetDuration }, anActor());
    deps.litellm.updateSubject = async () => ({ ok: true, value: undefined });
    expect(await sync()).toMatchObject({ kind: "pending" });
    expect((await deps.tenants.load(acme))?.sync).toMatchObject({
      status: "pending",
      error: "LiteLLM refused: it kept budget_duration 30d",
    });
  });

  it("takes no later end than its own change has made, because LiteLLM may have reset by a clock ahead of ours", async () => {
    await deps.tenants.change(acme, { budgetDuration: "1d" }, anActor());
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (...input) => {
      const litellmRow = await readSubject(...input);
      return litellmRow.ok ? { ...litellmRow, value: { ...litellmRow.value, resetsAt: RESET + MINUTE } } : litellmRow;
    };
    expect((await sync()).kind).toBe("synced");
    expect((await deps.tenants.load(acme))?.config.budgetResetAt).toBe(RESET);
  });
});
