// A notice to a channel of each chat and of PagerDuty, and an alert of a type that has no notices.

import { beforeEach, expect, it } from "vitest";
import { aDispatch, TARGETS } from "../../support/builders/notice-builders.ts";
import { NoticeWorld } from "../../support/worlds/notice-world.ts";

let world: NoticeWorld;
beforeEach(() => {
  world = new NoticeWorld();
});

it.each([
  ["pagerduty", TARGETS.pagerduty.routingKey],
  ["teams", TARGETS.teams.url],
  ["discord", TARGETS.discord.url],
] as const)("reaches a channel of kind %s once, at its target", async (kind, to) => {
  const key = world.hasDelivery(kind);
  await world.send(key);
  await world.send(key, { messageId: "m2" });
  expect(world.provider.arrived).toMatchObject([{ kind, to }]);
  expect(world.stateOf(key)).toMatchObject({ status: "sent", attempts: 1 });
});

it("skips the pending notice of a projection, which has no notices any more", async () => {
  const key = world.has(aDispatch({ alert: { eventType: "projected_limit_exceeded", threshold: null } }));
  expect(await world.send(key)).toEqual({ kind: "done" });
  expect(world.provider.offers).toEqual([]);
  expect(world.stateOf(key)).toMatchObject({ status: "skipped", lastError: "its event type has no notices" });
});
