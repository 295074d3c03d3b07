// The mark: keys get it from creation, adoption and sync, and only Bursar can make it.

import { describe, expect, it } from "vitest";
import { aesCipher } from "../../../src/adapters/cloudflare/aes-cipher.ts";
import { hasMarkOf, MARK, markFor } from "../../../src/flows/litellm/mark.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { aTenantConfig, NOW } from "../../budget/builders.ts";
import { aTenant, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const cipherOf = (...fills: number[]) => ({
  cipher: aesCipher(fills.map((fill) => ({ id: `k${fill}`, key: new Uint8Array(32).fill(fill) }))),
});
const acme = { ...aTenant(), markNonce: "nonce-1" };
const rowWith = (mark: unknown) => aLiteLlmRow({ metadata: { tenant_id: "acme", [MARK]: mark } });

describe("the mark", () => {
  it("proves its tenant under every key of the rotation, and no other tenant", async () => {
    const mark = await markFor(acme, null, cipherOf(1));
    expect(await hasMarkOf(acme, rowWith(mark), cipherOf(2, 1))).toBe(true);
    expect(await hasMarkOf(acme, rowWith(mark), cipherOf(2))).toBe(false);
    expect(await hasMarkOf({ ...acme, markNonce: "nonce-2" }, rowWith(mark), cipherOf(1))).toBe(false);
    const globex = { ...acme, config: aTenantConfig({ tenantId: idOf("globex") }) };
    expect(await hasMarkOf(globex, rowWith(mark), cipherOf(1))).toBe(false);
  });

  it.each([
    ["a label alone", undefined],
    ["no text", 7],
    ["a nonce alone", "nonce-1."],
    ["a guess", "nonce-1.AAAA"],
  ])("proves nothing by %s", async (_, mark) => {
    expect(await hasMarkOf(acme, rowWith(mark), cipherOf(1))).toBe(false);
  });

  it("stays as it is after a rotation, so that no key is written again for it", async () => {
    const mark = await markFor(acme, null, cipherOf(1));
    expect(await markFor(acme, mark, cipherOf(2, 1))).toBe(mark);
    expect(await markFor(acme, mark, cipherOf(2))).not.toBe(mark);
  });
});

describe("the keys in LiteLLM", () => {
  const { world, deps } = useAdminWorld();
  const hash = sha256(VIRTUAL_KEY);

  const isMarked = async () => {
    const tenant = await deps.tenants.load(idOf("acme"));
    if (tenant === null) throw new Error("no tenant");
    return hasMarkOf(tenant, aLiteLlmRow({ metadata: (await world.keyRow(hash)).metadata }), deps);
  };

  it("have the mark from their creation and from their adoption", async () => {
    await createTenant(ownKeyInput(), deps);
    expect(await isMarked()).toBe(true);
    await deps.tenants.markDeleted(idOf("acme"), ownKeyInput().actor);
    await syncLiteLlm({ tenantId: idOf("acme"), now: NOW }, deps);
    await deps.tenants.remove(idOf("acme"));
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 10 });
    const origin = { kind: "adopted", subject: { kind: "key", id: hash } } as const;
    await createTenant(ownKeyInput({ origin }), deps);
    expect(await isMarked()).toBe(true);
  });

  it("get the mark at their next sync when an earlier release made them", async () => {
    await createTenant(ownKeyInput(), deps);
    await world.manage("POST", "/key/update", { key: hash, metadata: { tenant_id: "acme" } });
    await world.db.query("update tenant_configs set mark_nonce = null");
    await syncLiteLlm({ tenantId: idOf("acme"), now: NOW }, deps);
    expect(await isMarked()).toBe(true);
  });

  it("lose the mark of an adoption when the tenant is deleted", async () => {
    await world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 10, metadata: { team: "red" } });
    const origin = { kind: "adopted", subject: { kind: "key", id: hash } } as const;
    await createTenant(ownKeyInput({ origin }), deps);
    await deps.tenants.markDeleted(idOf("acme"), ownKeyInput().actor);
    await syncLiteLlm({ tenantId: idOf("acme"), now: NOW }, deps);
    expect((await world.keyRow(hash)).metadata).toEqual({ team: "red" });
  });
});
