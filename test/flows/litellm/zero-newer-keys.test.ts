// A new period of a tenant with several keys, whose periods end apart in LiteLLM. Real Postgres, LiteLLM's simulator.

import { beforeEach, expect, it } from "vitest";
import type { KeyHash, OtherKey } from "../../../src/budget/tenant.ts";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { zeroNewerKeys } from "../../../src/flows/litellm/zero-newer-keys.ts";
import { aTenantConfig, DAY, MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { aTenant, hashOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { addedKey, OTHER_KEY } from "../../support/worlds/added-key.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const [first, second] = [sha256(VIRTUAL_KEY), sha256(OTHER_KEY)];
const { world, deps, deliver, notices, spendOf } = useSpendWorld();

/** LiteLLM ends ten days at midnight, ten days after the creation of each key. */
beforeEach(async () => {
  await world.manage("POST", "/key/update", { key: first, budget_duration: "10d" });
  await world.db.query("update tenant_configs set budget_duration = '10d'");
  const read = { kind: "read_due", tenant_id: "acme", subject_id: first, reason: "recheck-20s" } as const;
  await deliver(read);
  world.now = NOW + 5 * DAY;
  await addedKey(deps, { now: world.now, othersEndAt: NOW + 20 * DAY });
  world.litellm.setSpend(first, 100);
  world.litellm.setSpend(second, 200);
});

const readNow = () => deliver({ kind: "read_due", tenant_id: "acme", subject_id: second, reason: "period-end" });
const endPeriod = () => {
  world.now = NOW + 10 * DAY + 30 * MINUTE;
  world.litellm.runResetJob();
};

it("begins with the oldest key's, and leaves nothing of the newer key's spend", async () => {
  await readNow();
  expect((await spendOf())?.spendNanoUsd).toBe(usd("300"));
  endPeriod();
  expect([await world.keyRow(first), await world.keyRow(second)]).toMatchObject([{ spend: 0 }, { spend: 200 }]);
  await readNow();
  expect((await world.keyRow(second)).spend).toBe(0);
  expect(await notices()).toContain("budget_reset");
});

it("alerts of nothing that the newer key has spent in the period before", async () => {
  world.litellm.setSpend(second, 520);
  await readNow();
  const before = await notices();
  expect(before).toContain("budget_blocked");
  endPeriod();
  await readNow();
  expect((await spendOf())?.spendNanoUsd).toBe(0n);
  expect((await notices()).filter((type) => type !== "budget_reset" && type !== "budget_resolved")).toEqual(before);
});

it("zeroes what LiteLLM has and has not reset itself, and no key that has ended", async () => {
  const hashes = ["a", "b", "c", "d", "e"].map(hashOf);
  const keyOf = (hash: KeyHash, endsAt = NOW + 1): OtherKey => ({ hash, createdAt: NOW, endsAt });
  const [ended, oldest, same, gone, newest] = hashes as [KeyHash, KeyHash, KeyHash, KeyHash, KeyHash];
  const otherKeys = [keyOf(ended, NOW), keyOf(oldest), keyOf(same), keyOf(gone)];
  const tenant = aTenant({ config: aTenantConfig({ subject: { kind: "key", id: newest }, otherKeys }) });
  const zeroed: KeyHash[] = [];
  const { litellm } = deps;
  litellm.readSubject = async ({ id }) =>
    id === gone
      ? { ok: false, failure: { kind: "not_found" } }
      : { ok: true, value: aLiteLlmRow({ resetsAt: id === same ? RESET : RESET + DAY }) };
  litellm.resetSpend = async (hash) => {
    zeroed.push(hash);
    return { ok: true, value: undefined };
  };
  await zeroNewerKeys({ tenant, now: NOW }, { litellm });
  expect(zeroed).toEqual([newest]);
  litellm.readSubject = async () => ({ ok: false, failure: AWAY });
  await expect(zeroNewerKeys({ tenant, now: NOW }, { litellm })).rejects.toThrow("key not read");
});

it("waits for the sweep to announce it when a key could not be zeroed", async () => {
  await readNow();
  endPeriod();
  const { resetSpend } = deps.litellm;
  deps.litellm.resetSpend = async () => ({ ok: false, failure: AWAY });
  await expect(readNow()).rejects.toThrow("key not zeroed");
  await announceChanges({ now: world.now + 2 * MINUTE }, deps);
  expect(await notices()).not.toContain("budget_reset");
  deps.litellm.resetSpend = resetSpend;
  await announceChanges({ now: world.now + 2 * MINUTE }, deps);
  expect((await world.keyRow(second)).spend).toBe(0);
  expect(await notices()).toContain("budget_reset");
});
