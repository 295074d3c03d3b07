// A tenant's second key, and the end of the first: what LiteLLM accepts, what the tenant has spent, and when. Real
// Postgres, LiteLLM's simulator.

import { beforeEach, describe, expect, it } from "vitest";
import { DATABASE_LAG_MS } from "../../../src/budget/spend.ts";
import { observeRead } from "../../../src/flows/counting/observe.ts";
import { addKey, removeKey } from "../../../src/flows/keys/change-keys.ts";
import { endKeys } from "../../../src/flows/keys/end-keys.ts";
import { hasDrifted } from "../../../src/flows/litellm/drift.ts";
import { readSpendOf } from "../../../src/flows/litellm/read-spend.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import { resetTenant } from "../../../src/flows/tenants/reset-tenant.ts";
import { suspendTenant } from "../../../src/flows/tenants/suspend-tenant.ts";
import { MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY } from "../../support/fakes/fake-litellm.ts";
import { addedKey, OTHER_KEY } from "../../support/worlds/added-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const [first, second] = [sha256(VIRTUAL_KEY), sha256(OTHER_KEY)];
const HOUR = 60 * MINUTE;
const { world, deps } = useAdminWorld();

beforeEach(async () => void (await createTenant(ownKeyInput(), deps)));

async function acmeNow() {
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("no tenant");
  return tenant;
}
/** LiteLLM's row of the tenant, as checks and the sweep read it. */
async function readNow() {
  const read = await readSpendOf(await acmeNow(), { tries: 1 }, deps);
  if (!read.ok) throw new Error(read.failure.kind);
  return read.value;
}
const spendNow = async () => (await readNow()).spendNanoUsd;
const sync = () => syncLiteLlm({ tenantId: acme, now: world.now }, deps);
const sweepAfter = async (ms: number) => {
  world.now += ms;
  await endKeys({ now: world.now }, deps);
};
const budgets = async () => [(await world.keyRow(first))?.max_budget, (await world.keyRow(second))?.max_budget];

describe("a new key without an overlap", () => {
  it("belongs to the tenant at once, and LiteLLM refuses the old one at once", async () => {
    const tenant = await addedKey(deps);
    expect(tenant).toMatchObject({
      config: { subject: { id: second }, otherKeys: [{ hash: first, endsAt: NOW }] },
      sync: { status: "synced" },
    });
    expect((await deps.tenants.findByKey(second))?.config.tenantId).toBe("acme");
    expect(await deps.tenants.findByKey(first)).toBeNull();
    expect([deps.snapshots.owners.get(first), deps.snapshots.owners.get(second)]).toEqual([null, "acme"]);
    expect([await world.keyRow(first), await world.keyRow(second)]).toMatchObject([
      { blocked: true },
      { blocked: false, max_budget: 550, metadata: { tenant_id: "acme", bursar_mark: expect.any(String) } },
    ]);
    expect(
      await world.db.query("select actor, detail from audit_log where action = 'key_created' order by id"),
    ).toEqual([{ actor: "alice", detail: { key_hash: second } }]);
  });

  it("takes nothing over of what was seen of the old one: blocked or missing in LiteLLM", async () => {
    await world.db.query("update tenant_configs set litellm_blocked_at = now(), subject_missing_at = now()");
    const { config } = await addedKey(deps);
    expect(config).toMatchObject({ litellmBlockedAt: null, subjectMissingAt: null });
  });

  it("does not give the budget again: the old key's last spend is carried until the period ends", async () => {
    world.litellm.setSpend(first, 300);
    const { config } = await acmeNow();
    const tenant = await addedKey(deps);
    expect(tenant.config.budgetResetAt).toBe(config.budgetResetAt);
    expect(await budgets()).toEqual([550, 250]);
    // A call that was running ends after the block.
    world.litellm.setSpend(first, 320);
    expect(await spendNow()).toBe(usd("320"));
    await sweepAfter(DATABASE_LAG_MS - 1);
    expect(await acmeNow()).toMatchObject({ config: { otherKeys: [{ hash: first }] } });
    await sweepAfter(1);
    expect(await acmeNow()).toMatchObject({ config: { otherKeys: [], carriedNanoUsd: usd("320") } });
    // A colo may still read by the config from before.
    await sweepAfter(MINUTE);
    expect(await world.keyRow(first)).toMatchObject({ blocked: true });
    await sweepAfter(MINUTE);
    expect(await world.keyRow(first)).toBeNull();
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ carriedNanoUsd: usd("320") });
    world.litellm.setSpend(second, 100);
    expect(await spendNow()).toBe(usd("420"));
    await sync();
    expect((await world.keyRow(second)).max_budget).toBe(230);
    expect(await world.db.query("select * from tenant_keys where key_hash <> $1", [second])).toEqual([]);
  });

  it("starts from zero in the next period", async () => {
    world.litellm.setSpend(first, 300);
    await addedKey(deps);
    await sweepAfter(MINUTE);
    world.litellm.setSpend(second, 100);
    world.now = RESET + 11 * MINUTE;
    world.litellm.runResetJob();
    const read = await readNow();
    expect(read.spendNanoUsd).toBe(0n);
    const { subject } = (await acmeNow()).config;
    await observeRead({ ...read, tenantId: acme, subject }, world.now, deps);
    expect((await acmeNow()).config).toMatchObject({ litellmKeyLastReset: RESET, carriedNanoUsd: 0n });
    await sync();
    expect((await world.keyRow(second)).max_budget).toBe(550);
  });

  it("leaves the old key working until LiteLLM has the new one", async () => {
    const { createKey } = deps.litellm;
    deps.litellm.createKey = async () => ({ ok: false, failure: AWAY });
    expect((await addedKey(deps)).sync.status).toBe("pending");
    await sweepAfter(MINUTE);
    expect((await world.keyRow(first)).blocked).toBe(false);
    expect((await deps.tenants.findByKey(first))?.config.tenantId).toBe("acme");
    expect(await spendNow()).toBe(0n);
    deps.litellm.createKey = createKey;
    await sync();
    await sweepAfter(MINUTE);
    expect([await world.keyRow(first), await world.keyRow(second)]).toMatchObject([
      { blocked: true },
      { blocked: false },
    ]);
  });

  it("ends the old one by the sweep, step by step, while LiteLLM fails", async () => {
    const { updateSubject, readSubject, deleteKey } = deps.litellm;
    deps.litellm.updateSubject = async () => ({ ok: false, failure: AWAY });
    await addedKey(deps);
    expect((await deps.tenants.findByKey(first))?.config.tenantId).toBe("acme");
    deps.litellm.updateSubject = updateSubject;
    await sweepAfter(MINUTE);
    expect((await world.keyRow(first)).blocked).toBe(true);
    deps.litellm.readSubject = async () => ({ ok: false, failure: AWAY });
    await sweepAfter(MINUTE);
    expect((await acmeNow()).config.otherKeys).toHaveLength(1);
    deps.litellm.readSubject = readSubject;
    deps.litellm.deleteKey = async () => ({ ok: false, failure: AWAY });
    await sweepAfter(MINUTE);
    expect((await acmeNow()).config.otherKeys).toEqual([]);
    await sweepAfter(2 * MINUTE);
    deps.litellm.deleteKey = deleteKey;
    await sweepAfter(MINUTE);
    expect(await world.keyRow(first)).toBeNull();
    expect(deps.log.lines.join()).toMatch(/litellm key not blocked.*litellm key not deleted/);
  });

  it("goes on with the other keys when one cannot be ended", async () => {
    await addedKey(deps, { othersEndAt: NOW + MINUTE });
    const noted = deps.tenantKeys.noteBlocked;
    deps.tenantKeys.noteBlocked = async () => {
      throw new Error("postgres away");
    };
    await sweepAfter(2 * MINUTE);
    await removeKey({ tenantId: acme, keyHash: first, actor: anActor({ now: world.now }) }, deps);
    deps.tenantKeys.noteBlocked = noted;
    expect(deps.log.lines.filter((line) => line.includes("key end failed"))).toHaveLength(2);
  });
});

describe("a new key with an overlap", () => {
  beforeEach(async () => {
    world.litellm.setSpend(first, 300);
    await addedKey(deps, { othersEndAt: NOW + HOUR });
  });

  it("shares one budget with the old one: each may spend what the other leaves", async () => {
    expect(await budgets()).toEqual([550, 250]);
    world.litellm.setSpend(second, 50);
    expect(await spendNow()).toBe(usd("350"));
    await sync();
    expect(await budgets()).toEqual([500, 250]);
    world.litellm.setSpend(second, 600);
    await sync();
    expect(await budgets()).toEqual([0, 250]);
  });

  it("gets another budget when the other's spend has moved by 1 % of the limit", async () => {
    const drifted = async () => hasDrifted(await acmeNow(), await readNow(), world.now);
    expect(await drifted()).toBe(false);
    world.litellm.setSpend(first, 304);
    expect(await drifted()).toBe(false);
    world.litellm.setSpend(first, 306);
    expect(await drifted()).toBe(true);
  });

  it("ends the old key by the sweep, and blocks both for a suspended tenant until then", async () => {
    await suspendTenant({ tenantId: acme, actor: anActor() }, deps);
    expect([await world.keyRow(first), await world.keyRow(second)]).toMatchObject([
      { blocked: true },
      { blocked: true },
    ]);
    await sweepAfter(30 * MINUTE);
    expect((await deps.tenants.findByKey(first))?.config.tenantId).toBe("acme");
    await sweepAfter(30 * MINUTE);
    await sweepAfter(MINUTE);
    expect(await acmeNow()).toMatchObject({ config: { otherKeys: [], carriedNanoUsd: usd("300") } });
  });

  it("can be cut short by removing the old key", async () => {
    const removed = await removeKey({ tenantId: acme, keyHash: first, actor: anActor() }, deps);
    expect(removed).toMatchObject({ ok: true, value: { config: { otherKeys: [{ hash: first, endsAt: NOW }] } } });
    expect((await world.keyRow(first)).blocked).toBe(true);
    expect(await removeKey({ tenantId: acme, keyHash: first, actor: anActor() }, deps)).toMatchObject({ ok: true });
    expect(await world.db.query("select detail from audit_log where action = 'key_removed'")).toEqual([
      { detail: { key_hash: first } },
    ]);
  });

  it("counts as missing when LiteLLM has neither it nor an older one", async () => {
    await sweepAfter(HOUR);
    await sweepAfter(MINUTE);
    await world.manage("POST", "/key/delete", { keys: [second] });
    expect(await readSpendOf(await acmeNow(), { tries: 1 }, deps)).toMatchObject({
      failure: { kind: "not_found" },
    });
  });

  it("does not carry the spend of a tenant that was deleted meanwhile", async () => {
    const { carry } = deps.tenantKeys;
    deps.tenantKeys.carry = async (...change) => {
      await deps.tenants.markDeleted(acme, anActor());
      return carry(...change);
    };
    await sweepAfter(HOUR);
    await sweepAfter(MINUTE);
    expect((await world.keyRow(first)).spend).toBe(300);
  });

  it("starts again together with the old one after a reset", async () => {
    world.litellm.setSpend(second, 50);
    const result = await resetTenant({ tenantId: acme, actor: anActor({ now: NOW + MINUTE }) }, deps);
    expect(result).toMatchObject({ ok: true, value: { spend: { spendNanoUsd: 0n } } });
    expect([await world.keyRow(first), await world.keyRow(second)]).toMatchObject([{ spend: 0 }, { spend: 0 }]);
  });

  it("goes with the old one when the tenant is deleted", async () => {
    expect(await deleteTenant({ tenantId: acme, actor: anActor() }, deps)).toEqual({ ok: true, value: "deleted" });
    expect([await world.keyRow(first), await world.keyRow(second)]).toEqual([null, null]);
    expect(deps.snapshots.owners.get(first)).toBeNull();
  });
});

describe("keys that Bursar does not change", () => {
  const input = { virtualKey: OTHER_KEY, keyHash: second, othersEndAt: NOW, actor: anActor() };

  it("are those of no tenant, of a team, and of an adopted key", async () => {
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 10 });
    await world.manage("POST", "/key/generate", { key: "sk-adopted", max_budget: 10 });
    const team = { kind: "team", id: "red" } as const;
    const key = { kind: "key", id: sha256("sk-adopted") } as const;
    for (const [name, subject] of [["red", team] as const, ["adopted", key] as const]) {
      await createTenant(ownKeyInput({ tenantId: idOf(name), origin: { kind: "adopted", subject } }), deps);
    }
    const failures = [];
    for (const name of ["nobody", "red", "adopted"])
      failures.push(await addKey({ ...input, tenantId: idOf(name) }, deps));
    expect(failures).toEqual(["not_found", "is_team", "is_adopted"].map((failure) => ({ ok: false, failure })));
  });

  it("are the newest key, a key of no tenant, and those of a tenant that was deleted meanwhile", async () => {
    const remove = (keyHash: typeof first) => removeKey({ tenantId: acme, keyHash, actor: anActor() }, deps);
    expect(await remove(first)).toEqual({ ok: false, failure: "is_newest" });
    expect(await remove(second)).toEqual({ ok: false, failure: "not_found" });
    const { encrypt } = deps.cipher;
    deps.cipher.encrypt = async (text) => {
      await deps.tenants.markDeleted(acme, anActor());
      return encrypt(text);
    };
    expect(await addKey({ ...input, tenantId: acme }, deps)).toEqual({ ok: false, failure: "not_found" });
  });
});
