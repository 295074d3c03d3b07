// A fall of spend that is not found by a read of its own: by the sweep's reads, and by the reads of checks.

import { expect, it } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { readMessage } from "../../../src/ports/messages.ts";
import { MINUTE, usd } from "../../budget/builders.ts";
import { idOf, incomingOf } from "../../support/builders/builders.ts";
import { HOUR, useReconcileWorld } from "../../support/worlds/reconcile-world.ts";

const { key, sweepAndReconcile, world, deps, spendOf } = useReconcileWorld();

const platformAlerts = () => world.db.query("select kind, detail from platform_alerts");
const FELL = {
  kind: "spend_fell",
  detail: { tenant_id: "acme", spend_before: "120", spend_after: "90" },
};

/** LiteLLM shows these amounts at the next turns of the sweep. */
async function sweepAt(...dollars: number[]) {
  for (const each of dollars) {
    world.litellm.setSpend(key, each);
    await sweepAndReconcile();
    world.now += HOUR;
  }
}

it("alerts the operators of a fall that the sweep's hourly reads show", async () => {
  await sweepAt(120, 90);
  expect(await platformAlerts()).toEqual([]);
  await sweepAt(90);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("90") });
  expect(await platformAlerts()).toEqual([FELL]);
});

it("alerts the operators of a fall that the reads of checks show", async () => {
  await sweepAt(120);
  const { config } = (await deps.tenants.load(idOf("acme"))) ?? {};
  if (config === undefined) throw new Error("no tenant");
  for (let read = 0; read < 2; read++) {
    world.now += MINUTE;
    const shown = { spendNanoUsd: usd("90"), begunAt: world.now, answeredAt: world.now };
    const message = readMessage(config, { ...shown, resetsAt: config.budgetResetAt });
    await recordSpend({ incoming: [incomingOf(message, { messageId: `r${read}` })], now: world.now }, deps);
  }
  expect(await platformAlerts()).toEqual([FELL]);
});

it("calls a reset by LiteLLM no fall", async () => {
  await sweepAt(120);
  const before = await deps.tenants.load(idOf("acme"));
  world.now = (before?.config.budgetResetAt ?? 0) + HOUR;
  world.litellm.runResetJob();
  await sweepAt(3);
  expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("3") });
  expect(await world.db.query("select action from audit_log where action = 'spend_fell'")).toEqual([]);
  expect(await platformAlerts()).toEqual([]);
});
