// A notice that waits: for its channel's pace, or because its provider takes no more. Waiting is no attempt.

import { beforeEach, describe, expect, it } from "vitest";
import { aPlatformNotice } from "../../../dev/notices/samples.ts";
import type { PlatformAlertKind } from "../../../src/budget/delivery/severity.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { aDispatch, alertIdOf, channelIdOf } from "../../support/builders/notice-builders.ts";
import { failed, limited, REJECTED, SENT, UNANSWERED } from "../../support/fakes/fake-notifier.ts";
import { NoticeWorld } from "../../support/worlds/notice-world.ts";

const DONE = { kind: "done" };
const HOUR = 60 * MINUTE;

let world: NoticeWorld;
beforeEach(() => {
  world = new NoticeWorld();
});

/** Another alert to the same channel. */
const another = (number: number, eventType: "threshold_crossed" | "budget_blocked" = "threshold_crossed") =>
  world.has(aDispatch({ alert: { id: alertIdOf(number), eventType } }));
const openOf = ({ alertId, channelId }: { alertId: string; channelId: string }) =>
  world.postgres.open.get(`${alertId} ${channelId}`);

describe("the pace of a channel", () => {
  it("gives each notice for Slack its turn, a second apart, and keeps it", async () => {
    const keys = [1, 2, 3].map((number) => another(number));
    const ends = [];
    for (const key of keys) ends.push(await world.send(key));
    expect(ends).toEqual([
      DONE,
      { kind: "requeue", delaySeconds: 1, why: "its channel's pace" },
      { kind: "requeue", delaySeconds: 2, why: "its channel's pace" },
    ]);
    const [, second, third] = keys;
    expect(world.stateOf(second as never)).toMatchObject({ attempts: 0, nextAttemptAt: NOW + SECOND, claim: null });
    expect(await world.send(second as never, { at: SECOND })).toEqual(DONE);
    expect(await world.send(third as never, { at: 2 * SECOND })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(3);
  });

  it.each([
    ["slack", 1_000],
    ["teams", 500],
    ["discord", 500],
    ["pagerduty", 500],
  ] as const)("keeps the pace that %s takes", async (kind, pauseMs) => {
    const [first, second] = [1, 2].map((number) =>
      world.has(aDispatch({ alert: { id: alertIdOf(number) }, channel: { kind } })),
    );
    await world.send(first as never);
    expect(await world.send(second as never)).toMatchObject({ kind: "requeue", delaySeconds: 1 });
    expect(world.stateOf(second as never)).toMatchObject({ nextAttemptAt: NOW + pauseMs });
  });

  it("lets a block pass a hundred other notices", async () => {
    for (let number = 1; number <= 100; number++) await world.send(another(number));
    expect(await world.send(another(101, "budget_blocked"))).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(2);
  });

  it("lets a critical notice about the platform pass, and no other one", async () => {
    await world.send(another(1));
    const ofPlatform = (number: number, kind: PlatformAlertKind) => {
      const { delivery, channel } = aDispatch({ alert: { id: alertIdOf(number) } });
      world.postgres.has({ delivery, channel, ...aPlatformNotice(kind, {}) });
      return delivery;
    };
    expect(await world.send(ofPlatform(2, "litellm_out"))).toEqual(DONE);
    for (const kind of ["dead_letter", "budgets_reset"] as const)
      expect(await world.send(ofPlatform(3, kind))).toMatchObject({ kind: "requeue" });
  });

  it("gives way to a block that came meanwhile, whose own turn is kept", async () => {
    const [first, second] = [another(1), another(2)];
    await world.send(first);
    await world.send(second);
    const [block, next] = [another(3, "budget_blocked"), another(4, "budget_blocked")];
    expect(await world.send(block, { at: SECOND })).toEqual(DONE);
    expect(await world.send(next, { at: SECOND })).toMatchObject({ kind: "requeue", delaySeconds: 1 });
    expect(await world.send(second, { at: SECOND })).toMatchObject({ kind: "requeue", delaySeconds: 2 });
    expect(await world.send(next, { at: 2 * SECOND })).toEqual(DONE);
    expect(await world.send(second, { at: 3 * SECOND })).toEqual(DONE);
  });

  it("lets every notice pass while Redis is away, and webhooks always", async () => {
    world.claims.trouble("reserveTurn", new Outage("redis", "away", null));
    for (const number of [1, 2]) expect(await world.send(another(number))).toEqual(DONE);
    world.claims.trouble("reserveTurn", null);
    const calls = world.claims.calls("reserveTurn");
    for (const number of [3, 4]) await world.send(world.hasDelivery("webhook", number));
    expect(world.claims.calls("reserveTurn")).toBe(calls);
    expect(world.provider.arrived).toHaveLength(4);
  });
});

describe("a provider that takes no more", () => {
  it("makes the notice wait as long as it asks, without an attempt, and the notices behind it too", async () => {
    const [first, second] = [another(1), another(2)];
    world.provider.answers(limited(30), SENT);
    expect(await world.send(first)).toEqual({ kind: "requeue", delaySeconds: 30, why: "status 429" });
    expect(world.stateOf(first)).toMatchObject({
      status: "pending",
      attempts: 0,
      lastError: "status 429",
      nextAttemptAt: NOW + 30 * SECOND,
      turnAt: NOW + 30 * SECOND,
      claim: null,
    });
    expect(openOf(first)).toBe(0);
    expect(await world.send(second)).toMatchObject({ kind: "requeue", delaySeconds: 31 });
    expect(await world.send(first, { at: 30 * SECOND })).toEqual(DONE);
  });

  it("never ends a notice by waiting within twelve hours; after that a refusal is an attempt", async () => {
    const key = world.hasDelivery("webhook");
    world.provider.answers(limited());
    for (let at = 0; at < 12 * HOUR; at += 31 * SECOND) await world.send(key, { at });
    expect(world.stateOf(key)).toMatchObject({ status: "pending", attempts: 0, letters: 0 });
    expect(await world.send(key, { at: 13 * HOUR })).toMatchObject({ kind: "retry", delaySeconds: 10 });
    expect(world.stateOf(key)).toMatchObject({ attempts: 1 });
  });

  it("lets a notice about the platform wait as long, from its own alert", async () => {
    const { delivery, channel } = aDispatch({ channel: { kind: "webhook" } });
    world.postgres.has({ delivery, channel, ...aPlatformNotice("litellm_out", {}) });
    world.provider.answers(limited());
    expect(await world.send(delivery, { at: 11 * HOUR })).toMatchObject({ kind: "requeue" });
    expect(await world.send(delivery, { at: 12 * HOUR })).toMatchObject({ kind: "retry", delaySeconds: 10 });
  });

  it("hears less and less often from a notice, even if it asks to be tried again at once", async () => {
    const key = world.hasDelivery("webhook");
    world.provider.answers(limited(0));
    for (let at = 0; at < 12 * HOUR; ) {
      const end = await world.send(key, { at });
      at += (end.kind === "done" ? 0 : end.delaySeconds) * SECOND;
    }
    expect(world.provider.offers.length).toBeLessThan(200);
  });

  it("makes the notices behind one wait no longer than a queue can", async () => {
    world.provider.answers(limited(48 * 3_600));
    await world.send(another(1));
    expect(await world.send(another(2))).toMatchObject({ kind: "requeue", delaySeconds: 12 * 3_600 });
  });

  it("waits twelve hours at most, and spreads the waiting ones", async () => {
    const [first, second] = [world.hasDelivery("webhook", 1), world.hasDelivery("webhook", 2)];
    world.provider.answers(limited(48 * 3_600), limited(100));
    expect(await world.send(first)).toMatchObject({ delaySeconds: 12 * 3_600 });
    expect(await world.send(second, { random: 0.5 })).toMatchObject({ delaySeconds: 113 });
  });
});

describe("a failed attempt", () => {
  it("repeats with jitter, never early", async () => {
    const keys = [1, 2].map((number) => world.hasDelivery("webhook", number));
    world.provider.answers(failed());
    expect(await world.send(keys[0] as never, { random: 0 })).toMatchObject({ kind: "retry", delaySeconds: 10 });
    expect(await world.send(keys[1] as never, { random: 0.99 })).toMatchObject({ kind: "retry", delaySeconds: 13 });
  });

  it("counts an attempt without an answer as perhaps arrived until the notice ends", async () => {
    const key = world.hasDelivery("webhook");
    world.provider.answers(UNANSWERED, failed());
    await world.send(key);
    await world.send(key, { at: MINUTE });
    expect(openOf(key)).toBe(1);
  });
});

it("sends no notice that a newer alert has made untrue, and frees its claim", async () => {
  const key = world.hasDelivery();
  world.provider.answers(failed(), SENT);
  await world.send(key);
  world.postgres.supersede(key);
  expect(await world.send(key, { at: MINUTE })).toEqual(DONE);
  expect(world.provider.offers).toHaveLength(1);
  expect(world.stateOf(key)).toMatchObject({ status: "superseded", nextAttemptAt: null, claim: null });
  expect(world.log.lines.at(-1)).toMatch(/^info notice not sent .*"why":"superseded"/);
});

it("queues the alert that a channel is broken, at its first refusal only", async () => {
  const [first, second] = [world.hasDelivery("webhook"), another(2)];
  world.provider.answers(REJECTED);
  await world.send(first);
  await world.send(second);
  expect(first.channelId).toBe(channelIdOf(1));
  expect(world.noticeQueue.sent).toMatchObject([{ kind: "notice", channel_id: "the other channel" }]);
});
