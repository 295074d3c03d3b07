// LiteLLM fails for one of a tenant's two keys: nothing is decided on a part of the sum. Real Postgres, LiteLLM's
// simulator.

import { beforeEach, expect, it } from "vitest";
import { readSpendOf } from "../../../src/flows/litellm/read-spend.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { resetTenant } from "../../../src/flows/tenants/reset-tenant.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY } from "../../support/fakes/fake-litellm.ts";
import { addedKey, OTHER_KEY } from "../../support/worlds/added-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const [older, newest] = [sha256(VIRTUAL_KEY), sha256(OTHER_KEY)];
const FAILED = { ok: false, failure: AWAY } as const;
const { world, deps } = useAdminWorld();

beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  world.litellm.setSpend(older, 300);
  await addedKey(deps, { othersEndAt: NOW + 60 * MINUTE });
});

const sync = () => syncLiteLlm({ tenantId: acme, now: NOW }, deps);
const reset = () => resetTenant({ tenantId: acme, actor: anActor({ now: NOW + MINUTE }) }, deps);

it.each([
  ["older", older],
  ["newest", newest],
])("reads no spend, and leaves the sync pending, when the %s key cannot be read", async (_, hash) => {
  const { readSubject } = deps.litellm;
  deps.litellm.readSubject = async (subject, options) => (subject.id === hash ? FAILED : readSubject(subject, options));
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("no tenant");
  expect(await readSpendOf(tenant, { tries: 1 }, deps)).toEqual(FAILED);
  expect(await sync()).toMatchObject({ kind: "pending", failure: AWAY });
});

it("leaves the sync pending when the older key does not take its part of the budget", async () => {
  world.litellm.setSpend(newest, 50);
  const { updateSubject } = deps.litellm;
  deps.litellm.updateSubject = async (subject, fields) =>
    subject.id === older ? FAILED : updateSubject(subject, fields);
  expect(await sync()).toMatchObject({ kind: "pending", failure: AWAY });
});

it("begins no period when the older key cannot be zeroed, and zeroes both when it is tried again", async () => {
  const { resetSpend } = deps.litellm;
  const refused = { kind: "refused", status: 400, param: null, message: "no" } as const;
  deps.litellm.resetSpend = async (hash) => (hash === older ? { ok: false, failure: refused } : resetSpend(hash));
  expect(await reset()).toMatchObject({ ok: false, failure: { kind: "litellm_refused" } });
  expect(await world.db.query("select * from audit_log where action = 'period_reset'")).toEqual([]);
  deps.litellm.resetSpend = resetSpend;
  expect(await reset()).toMatchObject({ ok: true, value: { spend: { spendNanoUsd: 0n } } });
});
