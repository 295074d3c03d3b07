// Restoring a deleted tenant: once, whatever dies or overlaps, and with LiteLLM as it was before the deletion.

import { describe, expect, it } from "vitest";
import type { Subject } from "../../../../src/budget/tenant.ts";
import { syncLiteLlm } from "../../../../src/flows/litellm/sync-litellm.ts";
import { syncPending } from "../../../../src/flows/litellm/sync-pending.ts";
import { createTenant } from "../../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../../src/flows/tenants/delete-tenant.ts";
import { restoreTenant } from "../../../../src/flows/tenants/restore-tenant.ts";
import { suspendTenant } from "../../../../src/flows/tenants/suspend-tenant.ts";
import type { TenantChange } from "../../../../src/records/tenant.ts";
import { MINUTE, NOW, usd } from "../../../budget/builders.ts";
import { anActor, idOf } from "../../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../../support/builders/virtual-key.ts";
import { Killed, killedAfter } from "../../../support/faults/killed-after.ts";
import { auditLog } from "../../../support/servers/tenant-database.ts";
import { ownKeyInput, useAdminWorld } from "../../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const key: Subject = { kind: "key", id: hash };
const team: Subject = { kind: "team", id: "red" };
const NEW_KEY = "sk-restored-key-of-acme-0123456789";
const newHash = sha256(NEW_KEY);
const { world, deps, renewDeps } = useAdminWorld();

const create = () => createTenant(ownKeyInput(), deps);
const adopt = (subject: Subject, settings: TenantChange = {}, tenantId = acme) =>
  createTenant(ownKeyInput({ tenantId, settings, origin: { kind: "adopted", subject } }), deps);
const remove = () => deleteTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);
const input = (differences: Partial<Parameters<typeof restoreTenant>[0]> = {}) => ({
  ...{ tenantId: acme, virtualKey: NEW_KEY, keyHash: newHash, isUnanswered: true },
  actor: anActor({ now: world.now }),
  ...differences,
});
const restore = (ports = deps) => restoreTenant(input(), ports);
const actions = async () => (await auditLog(world.db)).map(({ action }) => action);

describe("a tenant with a key of its own", () => {
  it("gets a new key, shown once, a new period and no spend", async () => {
    await create();
    await world.manage("POST", "/key/update", { key: hash, spend: 90 });
    world.now += MINUTE;
    await remove();
    world.now += MINUTE;
    const restored = await restore();
    expect(restored).toMatchObject({ ok: true, value: { virtualKey: NEW_KEY } });
    const tenant = await deps.tenants.load(acme);
    expect(tenant).toMatchObject({
      deletedAt: null,
      sync: { status: "synced" },
      spend: { spendNanoUsd: 0n },
      config: { subject: { kind: "key", id: newHash }, createdAt: world.now },
    });
    expect(await world.keyRow(newHash)).toMatchObject({ max_budget: 550, metadata: { tenant_id: "acme" } });
    expect(await world.keyRow(hash)).toBeNull();
    expect(await deps.snapshots.tenant(acme)).toMatchObject({ config: { subject: { id: newHash } } });
    expect(await deps.snapshots.ownerOf(newHash)).toBe(acme);
    expect(await deps.tenants.findByKey(newHash)).not.toBeNull();
    expect(await actions()).toEqual(["tenant_created", "tenant_deleted", "tenant_restored"]);
  });

  it("keeps its settings, its overrides and its suspension", async () => {
    await createTenant(ownKeyInput({ settings: { maxBudgetNanoUsd: usd("70"), name: "Acme" } }), deps);
    const override = { id: crypto.randomUUID(), tenantId: acme, amountNanoUsd: usd("5"), reason: "more" };
    await deps.overrides.grant({ ...override, expiresAt: NOW + 60 * MINUTE }, anActor());
    await suspendTenant({ tenantId: acme, actor: anActor() }, deps);
    await remove();
    const restored = await restore();
    expect(restored).toMatchObject({
      value: { tenant: { config: { name: "Acme", maxBudgetNanoUsd: usd("70"), suspendedAt: NOW, overrides: [{}] } } },
    });
    expect(await world.keyRow(newHash)).toMatchObject({ max_budget: 82.5, blocked: true });
  });

  it("waits for LiteLLM to delete its old key", async () => {
    await create();
    await world.litellm.stop();
    await remove();
    expect(await restore()).toEqual({ ok: false, failure: "unreleased" });
    expect(await deps.tenants.load(acme)).toBeNull();
    await world.litellm.restart();
    renewDeps();
    expect(await restore()).toMatchObject({ ok: true, value: { virtualKey: NEW_KEY } });
    expect([await world.keyRow(hash), (await world.keyRow(newHash)).max_budget]).toEqual([null, 550]);
  });

  it("comes back by one of two requests at once, with the key of that one", async () => {
    await create();
    await remove();
    const other = "sk-other-restored-key-of-acme-0123";
    const both = [input(), input({ virtualKey: other, keyHash: sha256(other) })];
    const done = await Promise.all(both.map((each) => restoreTenant(each, deps)));
    expect(done.map(({ ok }) => ok).sort()).toEqual([false, true]);
    expect(done.find(({ ok }) => !ok)).toEqual({ ok: false, failure: "not_deleted" });
    const shown = done.find(({ ok }) => ok) as { value: { virtualKey: string } };
    expect((await deps.tenants.load(acme))?.config.subject.id).toBe(sha256(shown.value.virtualKey));
    expect((await actions()).filter((action) => action === "tenant_restored")).toHaveLength(1);
  });

  it("comes back once by a request that dies at any step and comes again with its idempotency key", async () => {
    const operation = { id: crypto.randomUUID(), idempotency: { id: "key-1", bodyHash: "body" } };
    for (let step = 0; ; step++) {
      await world.db.empty();
      await world.begin();
      renewDeps();
      await create();
      await remove();
      const asked = input({ actor: anActor({ now: world.now, operation: { ...operation, id: crypto.randomUUID() } }) });
      const process = killedAfter(deps, ["tenants", "litellm"], step);
      const first = await restoreTenant(asked, process.ports).catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
        return null;
      });
      if (first === null) {
        const again = "sk-again-restored-key-of-acme-0123";
        const retry = { ...asked, virtualKey: again, keyHash: sha256(again) };
        const second = await restoreTenant(retry, deps);
        if (!second.ok || second.value.virtualKey === null) throw new Error(`no key to show after step ${step}`);
        const shown = sha256(second.value.virtualKey);
        expect((await deps.tenants.load(acme))?.config.subject.id).toBe(shown);
        expect(await world.keyRow(shown)).toMatchObject({ max_budget: 550 });
      }
      expect((await actions()).filter((action) => action === "tenant_restored")).toHaveLength(1);
      if (process.calls() < step) break;
    }
  });

  it("shows no key when the request was answered before", async () => {
    await create();
    await remove();
    const operation = { id: "o1", idempotency: { id: "key-1", bodyHash: "body" } };
    const asked = input({ actor: anActor({ now: world.now, operation }) });
    expect(await restoreTenant(asked, deps)).toMatchObject({ value: { virtualKey: NEW_KEY } });
    const other = "sk-other-restored-key-of-acme-0123";
    const again = { ...asked, virtualKey: other, keyHash: sha256(other), isUnanswered: false };
    expect(await restoreTenant(again, deps)).toMatchObject({ ok: true, value: { virtualKey: null } });
  });

  it("comes back by a sync that was releasing it in the meantime, with its new key", async () => {
    await create();
    await world.litellm.stop();
    await remove();
    await world.litellm.restart();
    renewDeps();
    const { deleteKey } = deps.litellm;
    const slow = { ...deps, litellm: { ...deps.litellm } };
    slow.litellm.deleteKey = async (keyHash) => {
      const deleted = await deleteKey.call(deps.litellm, keyHash);
      expect((await restore()).ok).toBe(true);
      return deleted;
    };
    await syncLiteLlm({ tenantId: acme, now: world.now }, slow);
    expect(await deps.tenants.load(acme)).toMatchObject({ sync: { status: "synced" } });
    expect((await world.keyRow(newHash)).max_budget).toBe(550);
  });
});

describe("an adopted tenant", () => {
  it.each<[string, Subject]>([
    ["key", key],
    ["team", team],
  ])("gets its %s back, with LiteLLM's spend of now and Bursar's limits", async (_, subject) => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 20 });
    const row = () => (subject.kind === "key" ? world.keyRow(hash) : world.teamRow("red"));
    await adopt(subject, { maxBudgetNanoUsd: usd("100") });
    world.now += MINUTE;
    await remove();
    expect((await row()).max_budget).toBe(20);
    if (subject.kind === "key") await world.manage("POST", "/key/update", { key: hash, spend: 12 });
    world.now += MINUTE;
    const restored = await restore();
    expect(restored).toMatchObject({ ok: true, value: { virtualKey: null, tenant: { config: { subject } } } });
    expect(await row()).toMatchObject({ max_budget: 110, metadata: { tenant_id: "acme" } });
    const spend = (await deps.tenants.load(acme))?.spend?.spendNanoUsd;
    expect(spend).toBe(subject.kind === "key" ? usd("12") : 0n);
    expect(deps.spendQueue.sent).toContainEqual(
      expect.objectContaining({ message: expect.objectContaining({ kind: "read_due", tenant_id: "acme" }) }),
    );
    await remove();
    expect((await row()).max_budget).toBe(20);
  });

  it("restores LiteLLM's values of the time in between at the next deletion", async () => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
    await adopt(key, { maxBudgetNanoUsd: usd("100") });
    await remove();
    await world.manage("POST", "/key/update", { key: hash, max_budget: 30 });
    await restore();
    expect((await world.keyRow(hash)).max_budget).toBe(110);
    await remove();
    expect((await world.keyRow(hash)).max_budget).toBe(30);
  });

  it("stays deleted while another tenant has its key, and that tenant keeps it", async () => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
    await adopt(key);
    await remove();
    expect((await adopt(key, { maxBudgetNanoUsd: usd("40") }, idOf("other"))).ok).toBe(true);
    expect(await restore()).toEqual({ ok: false, failure: "subject_taken" });
    // Neither a late sync of the deleted tenant nor a sweep touches what is another tenant's.
    expect(await syncLiteLlm({ tenantId: acme, now: world.now }, deps)).toEqual({ kind: "removed" });
    await syncPending({ now: NOW + 60 * MINUTE }, deps);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 44, metadata: { tenant_id: "other" } });
  });

  it("comes back although LiteLLM has not released it, with the values from before its adoption", async () => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
    await adopt(key, { maxBudgetNanoUsd: usd("100") });
    await world.litellm.stop();
    await remove();
    expect(await restore()).toMatchObject({ ok: true, value: { tenant: { sync: { status: "pending" } } } });
    await world.litellm.restart();
    renewDeps();
    await syncPending({ now: NOW + 60 * MINUTE }, deps);
    expect((await world.keyRow(hash)).max_budget).toBe(110);
    await remove();
    expect((await world.keyRow(hash)).max_budget).toBe(20);
  });
});

it("restores no tenant that lives, or never was", async () => {
  expect(await restore()).toEqual({ ok: false, failure: "not_found" });
  await create();
  expect(await restore()).toEqual({ ok: false, failure: "not_deleted" });
  expect((await deps.tenants.load(acme))?.config.subject.id).toBe(hash);
});

it("does not know a tenant that was purged after it was loaded", async () => {
  await create();
  await remove();
  const purged = {
    ...deps.tenants,
    restore: async () => {
      await deps.tenants.remove(acme);
      return { ok: true, value: null } as const;
    },
  };
  expect(await restore({ ...deps, tenants: purged })).toEqual({ ok: false, failure: "not_found" });
});

it("restores a tenant although the queue refuses the read that follows", async () => {
  await create();
  await remove();
  deps.spendQueue.send = async () => {
    throw new Error("refused");
  };
  expect((await restore()).ok).toBe(true);
  expect(deps.log.lines).toContain('error scheduled read enqueue failed {"tenant_id":"acme"} Error: refused');
});
