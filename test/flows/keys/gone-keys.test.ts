// A key that was deleted in LiteLLM: what it had spent stays spent for the rest of the period. Real Postgres, LiteLLM's
// simulator.

import { beforeEach, describe, expect, it } from "vitest";
import { observeRead } from "../../../src/flows/counting/observe.ts";
import { endKeys } from "../../../src/flows/keys/end-keys.ts";
import { noteSubject } from "../../../src/flows/litellm/note-subject.ts";
import { readSpendOf } from "../../../src/flows/litellm/read-spend.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY } from "../../support/fakes/fake-litellm.ts";
import { addedKey, OTHER_KEY } from "../../support/worlds/added-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const [first, second] = [sha256(VIRTUAL_KEY), sha256(OTHER_KEY)];
const HOUR = 60 * MINUTE;
const { world, deps } = useAdminWorld();

beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  world.now = NOW + MINUTE;
  world.litellm.setSpend(first, 300);
  await read();
});

async function acmeNow() {
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("no tenant");
  return tenant;
}
/** Reads and records, as a report does. Returns the spend of the tenant. */
async function read() {
  const tenant = await acmeNow();
  const answer = await readSpendOf(tenant, { tries: 1 }, deps);
  if (!answer.ok) throw new Error(answer.failure.kind);
  await observeRead({ tenantId: acme, ...answer.value }, world.now, deps);
  await noteSubject({ tenant: await acmeNow(), litellmRow: answer.value, now: world.now }, deps);
  return (await acmeNow()).spend?.spendNanoUsd;
}
const deleteInLiteLlm = (key: string) => world.manage("POST", "/key/delete", { keys: [key] });
const sweep = () => endKeys({ now: world.now }, deps);
const budgetOf = async (hash: string) => (await world.keyRow(hash))?.max_budget;
const removals = () => world.db.query("select actor, detail from audit_log where action = 'key_removed'");

describe("a key deleted during its overlap", () => {
  beforeEach(async () => {
    await addedKey(deps, { now: world.now, othersEndAt: world.now + HOUR });
    world.litellm.setSpend(second, 20);
    await read();
    await deleteInLiteLlm(VIRTUAL_KEY);
  });

  it("ends with the first read that lacks it, and the sweep carries what it had spent", async () => {
    expect(await read()).toBe(usd("320"));
    expect((await acmeNow()).config.otherKeys).toMatchObject([{ hash: first, endsAt: world.now }]);
    expect(await removals()).toEqual([{ actor: "bursar", detail: { key_hash: first } }]);
    await sweep();
    expect((await acmeNow()).config).toMatchObject({ otherKeys: [], carriedNanoUsd: usd("300") });
    world.litellm.setSpend(second, 50);
    expect(await read()).toBe(usd("350"));
    await syncLiteLlm({ tenantId: acme, now: world.now }, deps);
    expect(await budgetOf(second)).toBe(250);
  });

  it("waits for LiteLLM to say what the others have spent", async () => {
    await read();
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (subject, options) =>
      subject.id === second ? { ok: false, failure: AWAY } : readSubject(subject, options);
    await sweep();
    expect((await acmeNow()).config).toMatchObject({ otherKeys: [{ hash: first }], carriedNanoUsd: 0n });
    deps.litellm.readSubject = readSubject;
    world.now += MINUTE;
    await sweep();
    expect((await acmeNow()).config).toMatchObject({ otherKeys: [], carriedNanoUsd: usd("300") });
  });

  it("carries what two deleted keys had spent, once", async () => {
    const third = sha256("sk-third");
    await addedKey(deps, { virtualKey: "sk-third", now: world.now, othersEndAt: world.now + HOUR });
    await deleteInLiteLlm(OTHER_KEY);
    expect(await read()).toBe(usd("320"));
    await sweep();
    expect((await acmeNow()).config).toMatchObject({
      subject: { id: third },
      otherKeys: [],
      carriedNanoUsd: usd("320"),
    });
  });

  it("carries nothing for a tenant that is deleted by then", async () => {
    await read();
    deps.tenants.load = async () => null;
    await sweep();
    expect(await world.db.query("select carried_at from tenant_keys where key_hash = $1", [first])).toEqual([
      { carried_at: null },
    ]);
  });

  it("gives no other key its budget in a sync before that", async () => {
    await syncLiteLlm({ tenantId: acme, now: world.now }, deps);
    expect(await budgetOf(second)).toBe(250);
  });
});

describe("a key deleted before the tenant got a new one", () => {
  it.each([
    ["without an overlap", 0],
    ["with an overlap", HOUR],
  ])("leaves its spend to the tenant, %s", async (_, overlapMs) => {
    await deleteInLiteLlm(VIRTUAL_KEY);
    const { sync } = await addedKey(deps, { now: world.now, othersEndAt: world.now + overlapMs });
    expect([sync.status, await budgetOf(second)]).toEqual(["synced", 250]);
    expect(await read()).toBe(usd("300"));
    await sweep();
    world.litellm.setSpend(second, 7);
    expect(await read()).toBe(usd("307"));
  });
});

it("keeps the spend of the newest key when that was deleted, and an older one goes on", async () => {
  await addedKey(deps, { now: world.now, othersEndAt: world.now + HOUR });
  world.litellm.setSpend(second, 20);
  await read();
  await deleteInLiteLlm(OTHER_KEY);
  expect(await read()).toBe(usd("320"));
  expect((await acmeNow()).config).toMatchObject({ subject: { id: second }, otherKeys: [{ hash: first }] });
});
