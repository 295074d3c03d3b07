// The ownership of LiteLLM's block when its marker is lost, and suspending again.

import { beforeEach, expect, it } from "vitest";
import { hasDrifted } from "../../../src/flows/litellm/drift.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import { resumeTenant, suspendTenant } from "../../../src/flows/tenants/suspend-tenant.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const actor = anActor({ now: NOW + MINUTE });
const { world, deps } = useAdminWorld();

beforeEach(async () => void (await createTenant(ownKeyInput(), deps)));

async function switched(run: typeof suspendTenant): Promise<TenantRecord> {
  const result = await run({ tenantId: acme, actor }, deps);
  if (!result.ok) throw new Error(result.failure);
  return result.value;
}
const suspend = () => switched(suspendTenant);
const resume = () => switched(resumeTenant);

async function chatStatus(): Promise<number> {
  const headers = { authorization: `Bearer ${VIRTUAL_KEY}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: "mock", messages: [] });
  return (await fetch(`${world.litellm.url}/v1/chat/completions`, { method: "POST", headers, body })).status;
}

async function litellmRow() {
  const read = await deps.litellm.readSubject({ kind: "key", id: hash }, { tries: 1 });
  if (!read.ok) throw new Error(read.failure.kind);
  return read.value;
}

async function stored(): Promise<TenantRecord> {
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("the tenant is gone");
  return tenant;
}

it("reads LiteLLM again when repeated, and blocks a key that was unblocked there", async () => {
  await suspend();
  await world.manage("POST", "/key/unblock", { key: hash });
  expect((await suspend()).sync.status).toBe("synced");
  expect(await chatStatus()).toBe(401);
  const lines = await world.db.query("select from audit_log where action = 'tenant_suspended'");
  expect(lines).toHaveLength(1);
});

it("keeps the block Bursar's own when an administrator replaces the key's metadata", async () => {
  await suspend();
  const theirs = { tenant_id: "acme", cost_center: 7 };
  await deps.litellm.updateSubject({ kind: "key", id: hash }, { metadata: theirs });
  expect(hasDrifted(await stored(), await litellmRow(), NOW)).toBe(true);
  expect((await resume()).sync).toMatchObject({ status: "synced", hasBlocked: false });
  expect(await chatStatus()).toBe(200);
  expect((await litellmRow()).metadata).toEqual({ ...theirs, bursar_mark: expect.any(String) });
});

it("keeps the block Bursar's own when an older sync overwrites the ownership marker", async () => {
  await deps.litellm.updateSubject({ kind: "key", id: hash }, { metadata: { theirs: 1 } });
  const { readSubject } = deps.litellm;
  let isFirst = true;
  deps.litellm.readSubject = async (...args) => {
    const read = await readSubject(...args);
    if (isFirst) {
      isFirst = false;
      await suspend();
    }
    return read;
  };
  await syncLiteLlm({ tenantId: acme, now: NOW + MINUTE }, deps);
  expect((await litellmRow()).metadata).toMatchObject({ theirs: 1, bursar_blocked_for: "acme" });
  await resume();
  expect(await chatStatus()).toBe(200);
});

it("notes the block before it sends it, so that a crash in between does not disown it", async () => {
  const { updateSubject } = deps.litellm;
  deps.litellm.updateSubject = async (subject, fields) => {
    expect((await stored()).sync.hasBlocked).toBe(true);
    return updateSubject(subject, fields);
  };
  expect((await suspend()).sync).toMatchObject({ status: "synced", hasBlocked: true });
});

it("notes a block again by its ownership marker when the note is lost, and never another's block", async () => {
  await suspend();
  await world.db.query("update tenant_configs set litellm_has_blocked = false");
  expect((await suspend()).sync.hasBlocked).toBe(true);
  await resume();
  await world.manage("POST", "/key/block", { key: hash });
  expect((await suspend()).sync.hasBlocked).toBe(false);
});

it("lifts Bursar's block on the release of an adopted key whose marker is lost", async () => {
  await deleteTenant({ tenantId: acme, actor }, deps);
  await deps.tenants.remove(acme);
  await world.manage("POST", "/key/generate", { key: "sk-theirs", max_budget: 5 });
  const subject = { kind: "key", id: sha256("sk-theirs") } as const;
  await createTenant(ownKeyInput({ origin: { kind: "adopted", subject } }), deps);
  await suspend();
  await deps.litellm.updateSubject(subject, { metadata: {} });
  await deleteTenant({ tenantId: acme, actor }, deps);
  expect((await world.keyRow(subject.id)).blocked).toBe(false);
});
