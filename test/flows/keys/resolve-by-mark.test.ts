// A key that Bursar does not know: resolved by its mark when LiteLLM has regenerated it, and never by a copied
// mark. Real Postgres, LiteLLM's simulator.

import { beforeEach, describe, expect, it } from "vitest";
import type { KeyHash } from "../../../src/budget/tenant.ts";
import { findByKey } from "../../../src/flows/check/find-tenant.ts";
import { resolveByMark } from "../../../src/flows/keys/resolve-by-mark.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import { suspendTenant } from "../../../src/flows/tenants/suspend-tenant.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { regenerateKey } from "../../support/builders/regenerated-key.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { addedKey, OTHER_KEY } from "../../support/worlds/added-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const NEW_KEY = "sk-regenerated";
const { world, deps } = useAdminWorld();

beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  deps.spendQueue.sent.length = 0;
});

async function resolve(keyHash: KeyHash) {
  const read = await deps.litellm.readSubject({ kind: "key", id: keyHash }, { tries: 1 });
  if (!read.ok) throw new Error(read.failure.kind);
  return resolveByMark({ keyHash, litellmRow: read.value, now: world.now }, deps);
}
async function resolved(keyHash: KeyHash) {
  const result = await resolve(keyHash);
  if (!result.ok) throw new Error(result.failure.kind);
  return result.value;
}
const regenerate = (differences: object = {}) => regenerateKey(world, hash, NEW_KEY, differences);
const audit = (action: string) =>
  world.db.query(`select tenant_id, actor, detail from audit_log where action = '${action}'`);
const copyMark = async () => {
  const { metadata } = await world.keyRow(hash);
  await world.manage("POST", "/key/generate", { key: "sk-copy", metadata });
  return sha256("sk-copy");
};

describe("a key that LiteLLM has regenerated", () => {
  it("becomes the tenant's key with its spend, in Postgres, at the edge and in the audit", async () => {
    world.litellm.setSpend(hash, 900);
    const to = await regenerate();
    const tenant = await resolved(to);
    expect(tenant?.config).toMatchObject({ tenantId: "acme", subject: { kind: "key", id: to }, otherKeys: [] });
    expect(await deps.tenants.findByKey(to)).toEqual(tenant);
    expect(await deps.tenants.findByKey(hash)).toBeNull();
    expect([deps.snapshots.owners.get(to), deps.snapshots.owners.get(hash)]).toEqual(["acme", null]);
    expect(deps.snapshots.configs.get(acme)).toEqual(tenant?.config);
    expect(await audit("key_replaced")).toEqual([
      { tenant_id: "acme", actor: "bursar", detail: { key_hash: to, replaces: hash } },
    ]);
    const messages = deps.spendQueue.sent.map(({ message }) => message);
    expect(messages).toContainEqual({ kind: "sync_litellm", tenant_id: "acme" });
    expect(messages).toContainEqual(expect.objectContaining({ kind: "read", subject_id: to, spend: "900" }));
  });

  it("obeys a suspension of its tenant", async () => {
    const to = await regenerate();
    await resolved(to);
    await suspendTenant({ tenantId: acme, actor: anActor() }, deps);
    expect(await world.keyRow(to)).toMatchObject({ blocked: true });
  });

  it("gets its tenant once, although two isolates resolve it", async () => {
    const to = await regenerate();
    const [first, second] = await Promise.all([resolved(to), resolved(to)]);
    expect([first?.config.subject.id, second?.config.subject.id]).toEqual([to, to]);
    expect((await resolved(to))?.config.subject.id).toBe(to);
    expect(await audit("key_replaced")).toHaveLength(1);
  });

  it("gets no tenant when the tenant was deleted meanwhile", async () => {
    const to = await regenerate();
    const { replace } = deps.tenantKeys;
    deps.tenantKeys.replace = async (...change) => {
      await deps.tenants.markDeleted(acme, anActor());
      return replace(...change);
    };
    expect(await resolved(to)).toBeNull();
  });

  it("gets its tenant when that was adopted", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-adopted", max_budget: 10 });
    const origin = { kind: "adopted", subject: { kind: "key", id: sha256("sk-adopted") } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin }), deps);
    const to = await regenerateKey(world, sha256("sk-adopted"), NEW_KEY);
    expect((await resolved(to))?.config).toMatchObject({ tenantId: "globex", subject: { id: to } });
  });

  it("replaces the older key that it was, beside the newest one", async () => {
    await addedKey(deps, { othersEndAt: NOW + MINUTE });
    const to = await regenerate();
    const tenant = await resolved(to);
    expect(tenant?.config).toMatchObject({ subject: { id: sha256(OTHER_KEY) }, otherKeys: [{ hash: to }] });
    expect(deps.spendQueue.sent.map(({ message }) => message.kind)).not.toContain("read");
  });

  it("stays resolved when KV and the queue refuse", async () => {
    const to = await regenerate();
    deps.snapshots.isAway = true;
    deps.spendQueue.isAway = true;
    expect((await resolved(to))?.sync.status).toBe("pending");
    expect(deps.log.lines.join()).toMatch(/kv key write failed.*sync enqueue failed/);
  });

  it("waits while LiteLLM cannot say whether the registered key lives", async () => {
    const to = await regenerate();
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (subject, options) =>
      subject.id === hash ? { ok: false, failure: AWAY } : readSubject(subject, options);
    expect(await resolve(to)).toEqual({ ok: false, failure: AWAY });
  });

  describe("of a tenant that an earlier release made, and no sync has marked", () => {
    const forgetMark = () => world.db.query("update tenant_configs set mark_nonce = null");

    it("gets its tenant by the alias that Bursar gave it", async () => {
      await forgetMark();
      const to = await regenerate({ metadata: { tenant_id: "acme" } });
      expect((await resolved(to))?.config.subject.id).toBe(to);
      await syncLiteLlm({ tenantId: acme, now: NOW }, deps);
      expect((await world.keyRow(to)).metadata).toHaveProperty("bursar_mark");
    });

    it("gets no tenant under another alias", async () => {
      await forgetMark();
      const to = await regenerate({ metadata: { tenant_id: "acme" }, key_alias: "mine" });
      expect(await resolved(to)).toBeNull();
    });
  });
});

describe("a check with a key that LiteLLM has regenerated", () => {
  const find = (keyHash: KeyHash) => {
    const search = {
      keyHash,
      network: null,
      isTeamKnown: false,
      deadline: new Promise<never>(() => {}),
      now: world.now,
    };
    return findByKey({ ...search, onLate: async () => {} }, { ...deps, clock: () => world.now });
  };

  it("finds its tenant", async () => {
    expect(await find(await regenerate())).toEqual({ kind: "tenant", tenantId: acme });
  });

  it("stays in doubt while LiteLLM cannot say whether the registered key lives", async () => {
    const to = await regenerate();
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (subject, options) =>
      subject.id === hash ? { ok: false, failure: AWAY } : readSubject(subject, options);
    expect(await find(to)).toEqual({ kind: "unreachable" });
  });
});

describe("a key that belongs to no tenant", () => {
  it("has a copied mark while the tenant's key lives: audited once, with one alert for operators", async () => {
    const copy = await copyMark();
    expect([await resolved(copy), await resolved(copy)]).toEqual([null, null]);
    expect((await deps.tenants.load(acme))?.config.subject.id).toBe(hash);
    expect(await audit("mark_copied")).toEqual([
      { tenant_id: "acme", actor: "litellm", detail: { key_hash: copy, registered: hash } },
    ]);
    expect(await world.db.query("select kind, detail from platform_alerts")).toEqual([
      { kind: "mark_copied", detail: { tenant_id: "acme", key_hash: copy } },
    ]);
  });

  it("has a copied mark while LiteLLM has not created the tenant's newest key yet", async () => {
    const copy = await copyMark();
    const { createKey } = deps.litellm;
    deps.litellm.createKey = async () => ({ ok: false, failure: AWAY });
    await addedKey(deps, { othersEndAt: NOW + MINUTE });
    deps.litellm.createKey = createKey;
    expect(await resolved(copy)).toBeNull();
    expect((await deps.tenants.load(acme))?.config.otherKeys).toMatchObject([{ hash }]);
  });

  it("has ended as the tenant's own, and raises no alert", async () => {
    await addedKey(deps, { othersEndAt: NOW });
    expect(await deps.tenants.findByKey(hash)).toBeNull();
    expect(await resolved(hash)).toBeNull();
    expect(await audit("mark_copied")).toEqual([]);
  });

  it.each([
    ["no label", {}],
    ["the label of no tenant", { tenant_id: "globex" }],
    ["a label without a mark", { tenant_id: "acme" }],
    ["a guessed mark", { tenant_id: "acme", bursar_mark: "x.y" }],
  ])("has %s, although the tenant's key is gone", async (_, metadata) => {
    const to = await regenerate({ metadata });
    expect(await resolved(to)).toBeNull();
  });

  it("has the mark of a deleted tenant, or of a team", async () => {
    const { metadata } = await world.keyRow(hash);
    await deleteTenant({ tenantId: acme, actor: anActor() }, deps);
    await deps.tenants.remove(acme);
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 10 });
    const origin = { kind: "adopted", subject: { kind: "team", id: "red" } } as const;
    const keyHash = sha256("sk-left");
    const litellmRow = aLiteLlmRow({ metadata });
    expect(await resolveByMark({ keyHash, litellmRow, now: NOW }, deps)).toEqual({ ok: true, value: null });
    await createTenant(ownKeyInput({ origin }), deps);
    expect(await resolveByMark({ keyHash, litellmRow, now: NOW }, deps)).toEqual({ ok: true, value: null });
  });
});
