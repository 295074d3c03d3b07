// The sweep's syncs: each tenant gets its turn, and none that always fails is in the way of the others.

import { beforeEach, expect, it } from "vitest";
import { syncPending } from "../../../src/flows/litellm/sync-pending.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { ownKeyInput, useAdminWorld } from "../../support/admin-world.ts";
import { idOf } from "../../support/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/virtual-key.ts";

const acme = idOf("acme");
const { world, deps, renewDeps } = useAdminWorld();

beforeEach(async () => {
  await world.litellm.stop();
  await createTenant(ownKeyInput(), deps);
  await world.litellm.restart();
  renewDeps();
});

it("brings what was pending to LiteLLM and to the edge", async () => {
  await syncPending({ now: NOW + MINUTE }, deps);
  const tenant = await deps.tenants.load(acme);
  expect(tenant).toMatchObject({ sync: { status: "synced", error: null }, encryptedKey: null });
  expect(await world.keyRow(sha256(VIRTUAL_KEY))).toMatchObject({ max_budget: 550 });
  expect(deps.snapshots.configs.get(acme)).toEqual(tenant?.config);
});

it("says that a sealed key cannot be opened, without its text, and tries the others before it tries again", async () => {
  const broken = {
    ...deps,
    cipher: { ...deps.cipher, open: () => Promise.reject(new Error("no key")) },
  };
  await syncPending({ now: NOW + MINUTE }, broken);
  expect((await deps.tenants.load(acme))?.sync).toMatchObject({
    status: "pending",
    error: "LiteLLM was not told: the sealed virtual key cannot be opened",
  });
  expect(broken.log.lines).toContain('error sealed key not opened {"tenant_id":"acme"} Error: no key');
  await syncPending({ now: NOW + MINUTE + 1 }, deps);
  expect((await deps.tenants.load(acme))?.sync.status).toBe("pending");
  await syncPending({ now: NOW + 3 * MINUTE }, deps);
  expect((await deps.tenants.load(acme))?.sync.status).toBe("synced");
});

it("writes down that a sync broke off, and goes on with the next tenant", async () => {
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
    error: "LiteLLM was not told: Bursar's own log says why",
  });
  expect((await deps.tenants.load(idOf("other")))?.sync.status).toBe("synced");
});

it("counts a try that Postgres broke off before its end could be written down", async () => {
  deps.tenants.recordSync = () => Promise.reject(new Error("pg down"));
  await syncPending({ now: NOW + MINUTE }, deps);
  expect(deps.log.lines).toContain('error sync failed {"tenant_id":"acme"} Error: pg down');
  expect(await deps.tenants.claimPendingSyncs(1, NOW + MINUTE + 1)).toEqual([]);
});
