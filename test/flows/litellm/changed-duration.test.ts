// A change of the budget's duration moves the end of the current period. It begins no period and hides none.

import { beforeEach, expect, it } from "vitest";
import { changeTenant } from "../../../src/flows/tenants/change-tenant.ts";
import { DAY, MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../../support/fakes/fake-litellm.ts";
import { VirtualTimers } from "../../support/fakes/virtual-timers.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices, spendOf } = useSpendWorld();
const read = () => deliver({ kind: "read_due", tenant_id: "acme", subject_id: key, reason: "confirm" });
const change = (budgetDuration: string) =>
  changeTenant({ tenantId: idOf("acme"), change: { budgetDuration }, actor: anActor({ now: world.now }) }, deps);

beforeEach(async () => {
  world.litellm.setSpend(key, 450);
  await read();
  world.now = NOW + MINUTE;
});

it("begins no period and announces nothing at the old end when the duration became longer", async () => {
  const before = await spendOf();
  await change("90d");
  world.now = RESET + 2 * MINUTE;
  await read();
  expect(await spendOf()).toMatchObject({ periodStartedAt: before?.periodStartedAt, spendNanoUsd: usd("450") });
  expect(await notices()).toEqual(["threshold_crossed"]);
});

it("finds the reset at the new end when the duration became shorter, although the old end is far ahead", async () => {
  await change("7d");
  const { budgetResetAt: end } = (await deps.tenants.load(idOf("acme")))?.config ?? {};
  expect(end).toBeLessThan(RESET);
  world.now = Number(end) + 12 * MINUTE;
  const reset = new FakeLiteLlm(new VirtualTimers(), () => world.now);
  const resetsAt = Number(end) + 7 * DAY;
  reset.has(aLiteLlmRow({ subject: { kind: "key", id: key }, spendNanoUsd: 0n, begunAt: world.now, resetsAt }));
  deps.litellm = reset;
  await read();
  expect(await spendOf()).toMatchObject({ periodStartedAt: end, spendNanoUsd: 0n, resetsAt });
});
