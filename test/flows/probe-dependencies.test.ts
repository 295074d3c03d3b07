// Readiness: each dependency is asked once, a slow one is not awaited, and probers do not load the dependencies.

import { beforeEach, expect, it } from "vitest";
import { probeDependencies } from "../../src/flows/probe-dependencies.ts";
import { AWAY } from "../support/fakes/fake-litellm.ts";
import { CheckWorld } from "../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});
const probe = () => world.timers.runUntil(probeDependencies({ now: world.clock() }, world.deps()));
const notOk = async () => (await probe()).dependencies.filter(({ ok }) => !ok).map(({ name }) => name);

it("reports ready when all four dependencies answer, each with its own latency", async () => {
  world.tenants.trouble("ping", 12);
  world.claims.trouble("ping", 3);
  expect(await probe()).toEqual({
    ready: true,
    dependencies: [
      { name: "postgres", ok: true, latencyMs: 12 },
      { name: "redis", ok: true, latencyMs: 3 },
      { name: "kv", ok: true, latencyMs: 0 },
      { name: "litellm", ok: true, latencyMs: 0 },
    ],
  });
});

it.each<[string, () => void]>([
  ["postgres", () => world.tenants.trouble("ping", new Error("down"))],
  ["redis", () => world.claims.trouble("ping", new Error("down"))],
  ["kv", () => world.snapshots.trouble("ping", new Error("down"))],
  [
    "litellm",
    () => {
      world.litellm.pingFailure = AWAY;
    },
  ],
])("reports %s as the one dependency that is not ready", async (name, breakIt) => {
  breakIt();
  expect(await notOk()).toEqual([name]);
  expect((await probe()).ready).toBe(false);
});

it("waits two seconds for a dependency that hangs", async () => {
  world.tenants.trouble("ping", "hangs");
  expect(await probe()).toMatchObject({ ready: false, dependencies: [{ ok: false, latencyMs: 2_000 }, {}, {}, {}] });
  expect(world.timers.elapsedMs).toBe(2_000);
});

it("lets one prober per second ask, and gives the others its last result", async () => {
  await probe();
  await world.timers.pass(1_000);
  world.litellm.pingFailure = AWAY;
  world.tenants.trouble("ping", 50);
  const now = world.clock();
  const both = Promise.all([1, 2].map(() => probeDependencies({ now }, world.deps())));
  expect((await world.timers.runUntil(both)).map(({ ready }) => ready)).toEqual([false, true]);
  expect(world.tenants.calls("ping")).toBe(2);
});

it("remembers the readiness for a second", async () => {
  await probe();
  world.litellm.pingFailure = AWAY;
  await world.timers.pass(999);
  expect((await probe()).ready).toBe(true);
  expect(world.tenants.calls("ping")).toBe(1);
  await world.timers.pass(1);
  expect((await probe()).ready).toBe(false);
});
