// The sweep's syncs: each pending tenant is tried, and one that always fails delays no other.

import { beforeEach, expect, it } from "vitest";
import { syncPending } from "../../../src/flows/litellm/sync-pending.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const { world, deps, renewDeps } = useAdminWorld();

beforeEach(async () => {
  await world.litellm.stop();
  await createTenant(ownKeyInput(), deps);
  await world.litellm.restart();
  renewDeps();
});

it("syncs pending tenants to LiteLLM and to the edge", async () => {
  await syncPending({ now: NOW + MINUTE }, deps);
  const tenant = await deps.tenants.load(acme);
  expect(tenant).toMatchObject({ sync: { status: "synced", error: null }, encryptedKey: null });
  expect(await world.keyRow(sha256(VIRTUAL_KEY))).toMatchObject({ max_budget: 550 });
  expect(deps.snapshots.configs.get(acme)).toEqual(tenant?.config);
});

it("reports an encrypted key that cannot be decrypted, without its text, and tries other tenants before it retries", async () => {
  const broken = {
    ...deps,
    cipher: { ...deps.cipher, decrypt: () => Promise.reject(new Error("no key")) },
  };
  await syncPending({ now: NOW + MINUTE }, broken);
  expect((await deps.tenants.load(acme))?.sync).toMatchObject({
    status: "pending",
    error: "the sync stopped: the encrypted virtual key cannot be decrypted",
  });
  expect(broken.log.lines).toContain('error virtual key decryption failed {"tenant_id":"acme"} Error: no key');
  await syncPending({ now: NOW + MINUTE + 1 }, deps);
  expect((await deps.tenants.load(acme))?.sync.status).toBe("pending");
  await syncPending({ now: NOW + 3 * MINUTE }, deps);
  expect((await deps.tenants.load(acme))?.sync.status).toBe("synced");
});

it("records a failed sync, and goes on with the next tenant", async () => {
  const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: sha256("sk-other") } as const;
  await world.litellm.stop();
  await createTenant(ownKeyInput({ tenantId: idOf("other"), origin }), deps);
  await world.litellm.restart();
  renewDeps();
  const { readSubject } = deps.litellm;
  deps.litellm.readSubject = async (subject, options) => {
    if (subject.id === sha256(VIRTUAL_KEY)) throw new Error("a bug");
    return readSubject(subject, options);
  };
  await syncPending({ now: NOW + MINUTE }, deps);
  expect((await deps.tenants.load(acme))?.sync).toMatchObject({
    status: "pending",
    error: "the sync stopped: see Bursar's log",
  });
  expect((await deps.tenants.load(idOf("other")))?.sync.status).toBe("synced");
});

it("counts a try that failed because Postgres could not record its outcome", async () => {
  deps.tenants.recordSync = () => Promise.reject(new Error("pg down"));
  await syncPending({ now: NOW + MINUTE }, deps);
  expect(deps.log.lines).toContain('error litellm sync failed {"tenant_id":"acme"} Error: pg down');
  expect(await deps.tenants.claimPendingSyncs(1, NOW + MINUTE + 1)).toEqual([]);
});
