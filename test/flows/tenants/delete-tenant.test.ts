// Deleting tenants: gone at once for every reader, and never a key left behind in LiteLLM.

import { expect, it } from "vitest";
import type { Subject } from "../../../src/budget/tenant.ts";
import { rewriteConfig } from "../../../src/flows/edge/rewrite-config.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { syncPending } from "../../../src/flows/litellm/sync-pending.ts";
import { changeTenant } from "../../../src/flows/tenants/change-tenant.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import type { TenantChange } from "../../../src/records/tenant.ts";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const key: Subject = { kind: "key", id: hash };
const HOUR = 60 * MINUTE;
const team: Subject = { kind: "team", id: "red" };
const { world, deps, renewDeps } = useAdminWorld();

/** Its history can be read, and LiteLLM has nothing of it any more. */
const RELEASED = { deletedAt: NOW, sync: { status: "synced", hasSetLimits: false }, encryptedKey: null };

const remove = () => deleteTenant({ tenantId: acme, actor: anActor() }, deps);
const create = () => createTenant(ownKeyInput(), deps);
const adopt = (subject: Subject, settings: TenantChange = {}) =>
  createTenant(ownKeyInput({ settings, origin: { kind: "adopted", subject } }), deps);

it("deletes the key that Bursar made, keeps the row for its history, and leaves a tombstone", async () => {
  await create();
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
  expect(await world.keyRow(hash)).toBeNull();
  expect(await deps.tenants.loadEvenDeleted(acme)).toMatchObject(RELEASED);
  expect(await deps.snapshots.tenant(acme)).toHaveProperty("deletedRevision");
  expect(await deps.snapshots.ownerOf(hash)).toBeNull();
  expect(deps.memory.tenant(acme)).toBeNull();
  expect(deps.memory.tenantOf(hash, NOW)).toBeNull();
});

it("deletes at once and stays pending while LiteLLM is away; the sweep deletes the key and notes it", async () => {
  await create();
  await world.litellm.stop();
  expect(await remove()).toEqual({ ok: true, value: "pending" });
  expect(await deps.tenants.load(acme)).toBeNull();
  expect(await deps.snapshots.tenant(acme)).toHaveProperty("deletedRevision");
  await world.litellm.restart();
  expect(await deps.tenants.claimPendingSyncs(10, NOW + HOUR)).toEqual([acme]);
  expect(await syncLiteLlm({ tenantId: acme, now: NOW }, world.deps())).toEqual({ kind: "removed" });
  expect(await world.keyRow(hash)).toBeNull();
  expect(await deps.tenants.loadEvenDeleted(acme)).toMatchObject(RELEASED);
});

it("counts a key that LiteLLM has deleted already as deleted", async () => {
  await create();
  await world.manage("POST", "/key/delete", { keys: [hash] });
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
});

it("leaves nothing behind when LiteLLM never created the key", async () => {
  await world.litellm.stop();
  await create();
  await world.litellm.restart();
  renewDeps();
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
});

it("restores an adopted key, and keeps metadata that others added meanwhile", async () => {
  await world.manage("POST", "/key/generate", {
    key: VIRTUAL_KEY,
    max_budget: 20.5,
    soft_budget: 3,
    budget_duration: "7d",
    metadata: { team: "red" },
  });
  const before = await world.keyRow(hash);
  await adopt(key, { maxBudgetNanoUsd: usd("100"), budgetDuration: "1d" });
  const { metadata } = await world.keyRow(hash);
  await world.manage("POST", "/key/update", { key: hash, metadata: { ...metadata, added: true } });
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
  expect(await world.keyRow(hash)).toMatchObject({
    max_budget: 20.5,
    budget_duration: "7d",
    budget_reset_at: before.budget_reset_at,
    litellm_budget_table: { soft_budget: 3 },
  });
  expect((await world.keyRow(hash)).metadata).toEqual({ team: "red", added: true });
});

it("restores a tenant_id that LiteLLM's metadata had before", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, metadata: { tenant_id: "theirs" } });
  await adopt(key, { maxBudgetNanoUsd: usd("100") });
  await remove();
  const row = await world.keyRow(hash);
  expect(row).toMatchObject({ max_budget: null, metadata: { tenant_id: "theirs" } });
});

it("leaves alone the limits of an observed key that an administrator changed meanwhile", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key, { enforcement: "observe" });
  await world.manage("POST", "/key/update", { key: hash, max_budget: 30 });
  await remove();
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 30, metadata: {} });
});

it.each<[string, TenantChange]>([
  ["alone", {}],
  ["together with another budget", { maxBudgetNanoUsd: usd("700") }],
])("removes Bursar's limit from a key that is only observed from now on: changed %s", async (_, other) => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20, budget_duration: "7d" });
  await adopt(key, { budgetDuration: "1d" });
  const observing = { tenantId: acme, change: { enforcement: "observe", ...other }, actor: anActor() } as const;
  expect(await changeTenant(observing, deps)).toMatchObject({ value: { sync: { status: "synced" } } });
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20, budget_duration: "7d" });
  await world.manage("POST", "/key/update", { key: hash, max_budget: 30 });
  await remove();
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 30 });
});

it("restores the key's values from before it was enforced, not from its adoption", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20, metadata: { tenant_id: "theirs" } });
  await adopt(key, { enforcement: "observe" });
  await world.manage("POST", "/key/update", { key: hash, max_budget: 30 });
  await changeTenant({ tenantId: acme, change: { enforcement: "enforce" }, actor: anActor() }, deps);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 22 });
  await changeTenant({ tenantId: acme, change: { enforcement: "observe" }, actor: anActor() }, deps);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 30 });
  await changeTenant({ tenantId: acme, change: { enforcement: "enforce" }, actor: anActor() }, deps);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 22 });
  await remove();
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 30, metadata: { tenant_id: "theirs" } });
});

it("overrides a limit that an administrator sets in LiteLLM while it is enforced, and restores the one before", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key);
  await world.manage("POST", "/key/update", { key: hash, max_budget: 50 });
  await syncLiteLlm({ tenantId: acme, now: NOW }, deps);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 22 });
  await world.manage("POST", "/key/update", { key: hash, max_budget: 50 });
  await remove();
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20 });
});

it("leaves no limit on a key that another administrator sets to observe during a sync", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key, { enforcement: "observe" });
  const change = (enforcement: "enforce" | "observe") =>
    changeTenant({ tenantId: acme, change: { enforcement }, actor: anActor() }, deps);
  const { updateSubject } = deps.litellm;
  deps.litellm.updateSubject = async (...update) => {
    deps.litellm.updateSubject = updateSubject;
    await change("observe");
    return updateSubject(...update);
  };
  await change("enforce");
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20 });
});

it.each<[string, Subject]>([
  ["key", key],
  ["team", team],
])("restores an adopted %s by the sweep when LiteLLM was away", async (_, subject) => {
  await world.manage("POST", "/key/generate", {
    key: VIRTUAL_KEY,
    max_budget: 20,
    budget_duration: "7d",
    user_id: "somebody",
    metadata: { team: "red" },
  });
  await world.manage("POST", "/team/new", { team_id: "red", max_budget: 20, soft_budget: 9, metadata: { a: 1 } });
  const before = [await world.keyRow(hash), await world.teamRow("red")];
  await adopt(subject, { maxBudgetNanoUsd: usd("100") });
  await world.litellm.stop();
  expect(await remove()).toEqual({ ok: true, value: "pending" });
  await world.litellm.restart();
  renewDeps();
  await syncPending({ now: NOW + HOUR }, deps);
  expect(await deps.tenants.loadEvenDeleted(acme)).toMatchObject(RELEASED);
  const after = [await world.keyRow(hash), await world.teamRow("red")];
  expect(after.map((row) => ({ ...row, updated_at: null }))).toEqual(
    before.map((row) => ({ ...row, updated_at: null })),
  );
});

it("removes Bursar's limit from a key although LiteLLM was away when observe was set before the deletion", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key);
  await world.litellm.stop();
  await changeTenant({ tenantId: acme, change: { enforcement: "observe" }, actor: anActor() }, deps);
  await world.litellm.restart();
  renewDeps();
  await remove();
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20 });
});

it("restores a key with a shared budget object, without a limit of its own", async () => {
  const shared = { budget_id: "shared", max_budget: 20, soft_budget: 3, budget_duration: "30d" };
  await world.manage("POST", "/budget/new", shared);
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, budget_id: "shared" });
  await adopt(key, { maxBudgetNanoUsd: usd("100") });
  expect((await world.keyRow(hash)).max_budget).toBe(110);
  await remove();
  expect(await world.keyRow(hash)).toMatchObject({
    max_budget: null,
    budget_duration: null,
    litellm_budget_table: shared,
  });
});

it("finishes the release although LiteLLM no longer shows which duration it kept", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key, { budgetDuration: "1d" });
  const { readSubject, updateSubject } = deps.litellm;
  deps.litellm.updateSubject = async (...input) => {
    deps.litellm.readSubject = async () => ({ ok: false, failure: { kind: "unreachable", why: "status 500" } });
    return updateSubject(...input);
  };
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
  deps.litellm.readSubject = readSubject;
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20 });
});

it("leaves and logs a duration that LiteLLM cannot take away, and finishes the release", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key, { budgetDuration: "1d" });
  const kept = 'warn litellm kept budget_duration {"tenant_id":"acme","budget_duration":"1d"}';
  const observing = { tenantId: acme, change: { enforcement: "observe" }, actor: anActor() } as const;
  expect(await changeTenant(observing, deps)).toMatchObject({ value: { sync: { status: "synced" } } });
  expect(deps.log.lines).toEqual([kept]);
  await changeTenant({ ...observing, change: { enforcement: "enforce" } }, deps);
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
  expect(deps.log.lines).toEqual([kept]);
  expect(await world.keyRow(hash)).toMatchObject({ max_budget: 20, budget_duration: "1d" });
});

it.each([
  ["no budgets", {}],
  ["a soft budget above what Bursar allows", { soft_budget: 900 }],
  ["both", { max_budget: 90, soft_budget: 10 }],
  ["a limit alone", { max_budget: 90 }],
])("restores an adopted team: %s", async (_, fields) => {
  await world.manage("POST", "/team/new", { team_id: "red", ...fields });
  const before = await world.teamRow("red");
  await adopt(team, { maxBudgetNanoUsd: usd("100") });
  expect((await world.teamRow("red")).max_budget).toBe(110);
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
  const { max_budget, soft_budget, metadata } = before;
  expect(await world.teamRow("red")).toMatchObject({ max_budget, soft_budget, metadata });
});

it("deletes a tenant whose adopted key LiteLLM no longer knows", async () => {
  await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
  await adopt(key);
  await world.manage("POST", "/key/delete", { keys: [hash] });
  expect(await remove()).toEqual({ ok: true, value: "deleted" });
});

it("writes the tombstone again when a slower writer has overwritten it in KV, with the row or without it", async () => {
  const created = await create();
  if (!created.ok) throw new Error("not created");
  await world.litellm.stop();
  await remove();
  deps.snapshots.configs.set(acme, created.value.tenant.config);
  await rewriteConfig({ tenantId: acme, now: NOW }, deps);
  expect(await deps.snapshots.tenant(acme)).toHaveProperty("deletedRevision");
  await world.litellm.restart();
  await syncLiteLlm({ tenantId: acme, now: NOW }, world.deps());
  await deps.tenants.remove(acme);
  deps.snapshots.configs.set(acme, created.value.tenant.config);
  await rewriteConfig({ tenantId: acme, now: NOW }, deps);
  expect(await deps.snapshots.tenant(acme)).toHaveProperty("deletedRevision");
});

it("reports a tenant that does not exist or is deleted already", async () => {
  expect(await remove()).toEqual({ ok: false, failure: "not_found" });
  await create();
  await world.litellm.stop();
  await remove();
  expect(await remove()).toEqual({ ok: false, failure: "not_found" });
  await world.litellm.restart();
});
