// Alerts under overrides: a new limit version re-arms every threshold, and thresholds that are still exceeded stay
// silent.

import { beforeEach, expect, it } from "vitest";
import { endOverrides } from "../../../src/flows/overrides/end-overrides.ts";
import { grantOverride } from "../../../src/flows/overrides/grant-override.ts";
import { revokeOverride } from "../../../src/flows/overrides/revoke-override.ts";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { aNewOverride } from "../../support/builders/override-builders.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const { world, deps, hear, alerts, notices } = useSpendWorld();

const HOUR = 60 * MINUTE;
const EXPIRES = NOW + HOUR;
beforeEach(() => {
  world.now = NOW + MINUTE;
});

const spend = (amount: string) => hear(amount, { event: "threshold_crossed" });

async function grant(dollars: string, id = uuidOf(1)): Promise<void> {
  world.now += MINUTE;
  const override = aNewOverride({ id, amountNanoUsd: usd(dollars), expiresAt: EXPIRES });
  await grantOverride({ override, actor: anActor({ now: world.now }) }, deps);
}

/** The announced events of the budget, without those of overrides. */
const crossings = async () => (await notices()).filter((event) => !event.startsWith("override"));
const silent = async () => (await alerts()).filter((alert) => alert.silent).map(({ event_type: event }) => event);

it("R2: suppresses a threshold that was announced and is still exceeded under the override", async () => {
  await spend("450");
  await grant("50");
  await spend("451");
  expect(await crossings()).toEqual(["threshold_crossed"]);
  expect(await silent()).toEqual(["threshold_crossed"]);
});

it("R2: announces the next crossing after a raise that brought the spend below a threshold", async () => {
  await spend("450");
  await grant("500");
  await spend("700");
  expect(await crossings()).toEqual(["threshold_crossed"]);
  await spend("800");
  expect(await crossings()).toEqual(["threshold_crossed", "threshold_crossed"]);
});

it("R2: announces the end of a block, and the block again when the override ends", async () => {
  await spend("560");
  await grant("500");
  await spend("570");
  expect(await crossings()).toEqual(["budget_blocked", "budget_resolved"]);
  world.now = EXPIRES;
  await endOverrides({ now: world.now }, deps);
  await spend("571");
  expect(await crossings()).toEqual(["budget_blocked", "budget_resolved", "budget_blocked"]);
});

it("R2: counts an end as a change of the limit, by the clock and by a revocation alike", async () => {
  await grant("500");
  await spend("450");
  expect(await crossings()).toEqual([]);
  world.now += MINUTE;
  await revokeOverride({ key: { tenantId: acme, overrideId: uuidOf(1) }, actor: anActor({ now: world.now }) }, deps);
  await spend("451");
  expect(await crossings()).toEqual(["threshold_crossed"]);
  await grant("500", uuidOf(2));
  await spend("452");
  world.now = EXPIRES;
  await spend("453");
  expect(await crossings()).toEqual(["threshold_crossed", "threshold_crossed"]);
});

it("R2: suppresses a threshold announced under the override and still exceeded after its end", async () => {
  await grant("100");
  await spend("490");
  world.now = EXPIRES;
  await spend("491");
  expect(await crossings()).toEqual(["threshold_crossed"]);
  expect(await silent()).toEqual(["threshold_crossed"]);
});
