// The outage note: written once with its beginning, removed when LiteLLM answers again.

import { beforeEach, expect, it } from "vitest";
import { noteOutage } from "../../../src/flows/litellm/outage.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { AWAY } from "../../support/fakes/fake-litellm.ts";
import { CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});
const note = (now = NOW) => noteOutage({ now }, world.deps());

it("notes since when LiteLLM is out, and keeps the first moment", async () => {
  world.litellm.pingFailure = AWAY;
  await note(NOW);
  await note(NOW + MINUTE);
  expect(world.kv.outage).toBe(NOW);
  expect(world.log.lines).toEqual(['error litellm outage began {"why":"unreachable"} null']);
});

it("removes the note when LiteLLM answers again, and logs how long it was out", async () => {
  world.kv.outage = NOW - 10 * MINUTE;
  await note();
  expect(world.kv.outage).toBeNull();
  expect(world.log.lines).toEqual(['info litellm outage ended {"out_seconds":600}']);
});

it("writes nothing while LiteLLM answers, because KV bills each write", async () => {
  await note();
  expect([world.kv.outage, world.snapshots.calls("writeOutage"), world.log.lines]).toEqual([null, 0, []]);
});

it("throws when KV is away, so that the sweep logs it", async () => {
  world.snapshots.trouble("outageNote", new Error("down"));
  await expect(note()).rejects.toThrow("down");
});
