// How soon isolates and colos refuse a tenant that another one suspended: the numbers of the runbook.

import { beforeEach, expect, it } from "vitest";
import { aTenantConfig, NOW, SECOND } from "../../budget/builders.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { byId, CheckWorld, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const suspended = aTenantConfig({ suspendedAt: NOW, revision: 2 });
const reasonOf = async (input = {}) => verdictOf(await world.check(input)).reason;

it("answers for 2 s from the memory after the last check, and then refuses by KV", async () => {
  world.hasTenant();
  expect(await reasonOf()).toBe("within_budget");
  world.inKv(suspended);
  await world.timers.pass(2 * SECOND - 1);
  expect(await reasonOf()).toBe("within_budget");
  await world.timers.pass(1);
  const { allowed, reason } = verdictOf(await world.check());
  expect([allowed, reason]).toEqual([false, "suspended"]);
});

it("reads the suspension from Postgres in a colo whose KV still has the old config", async () => {
  world.hasTenant();
  world.inPostgres(suspended);
  expect(await reasonOf()).toBe("within_budget");
  await world.timers.pass(61 * SECOND);
  await world.check();
  await world.untilQuiet();
  expect(await reasonOf()).toBe("suspended");
});

it("refuses from the memory when LiteLLM, Postgres and KV are all away", async () => {
  world.hasTenant({ suspendedAt: NOW });
  expect(await reasonOf({ caller: byId })).toBe("suspended");
  for (const verb of ["tenant", "ownerOf"] as const) world.snapshots.trouble(verb, "hangs");
  for (const verb of ["load", "findByKey"] as const) world.tenants.trouble(verb, "hangs");
  world.reads.trouble("readSubject", "hangs");
  await world.timers.pass(61 * SECOND);
  expect(await reasonOf({ caller: byId })).toBe("suspended");
});

it("refuses by LiteLLM's row alone when neither KV nor Postgres answers", async () => {
  const metadata = { tenant_id: "acme", bursar_blocked_for: "acme" };
  world.litellm.has(aLiteLlmRow({ blocked: true, metadata }));
  for (const verb of ["tenant", "ownerOf"] as const) world.snapshots.trouble(verb, new Error("down"));
  for (const verb of ["load", "findByKey"] as const) world.tenants.trouble(verb, new Error("down"));
  expect(await reasonOf()).toBe("suspended");
});
