// A provider that fails: attempt after attempt, later each time, and then a dead letter that can be replayed.

import { beforeEach, expect, it } from "vitest";
import { noticeMessageSchema } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { aDispatch } from "../../support/builders/notice-builders.ts";
import { failed, SENT } from "../../support/fakes/fake-notifier.ts";
import { NoticeWorld } from "../../support/worlds/notice-world.ts";

const DONE = { kind: "done" };
const HOUR = 60 * MINUTE;
/** When each of the six attempts is due. */
const DUE = [0, 10 * SECOND, 70 * SECOND, 370 * SECOND, 2_170 * SECOND, 5_770 * SECOND];

let world: NoticeWorld;
beforeEach(() => {
  world = new NoticeWorld();
});

it("N7: a failure is logged with the provider's reason, counted, and tried again ten seconds later", async () => {
  const key = world.hasDelivery();
  world.provider.answers(failed("503 overloaded"));
  expect(await world.send(key)).toEqual({ kind: "retry", delaySeconds: 10, why: "503 overloaded" });
  expect(world.stateOf(key)).toMatchObject({
    status: "pending",
    attempts: 1,
    lastError: "503 overloaded",
    nextAttemptAt: NOW + 10 * SECOND,
    claim: null,
    letters: 0,
  });
  expect(world.log.lines).toEqual([
    expect.stringMatching(
      /^warn notice attempt failed .*"why":"503 overloaded","failed_attempts":1,"next_in_seconds":10/,
    ),
  ]);
});

it("N7: one channel's failure neither stops nor repeats another's notice", async () => {
  const [broken, fine] = [world.hasDelivery("slack", 1), world.hasDelivery("email", 2)];
  world.notifier.trouble("slack", 9_000);
  world.provider.answers(SENT, failed());
  const slow = world.send(broken);
  expect(await world.send(fine, { messageId: "m2" })).toEqual(DONE);
  expect(world.stateOf(fine).status).toBe("sent");
  expect(await slow).toMatchObject({ kind: "retry" });
  world.notifier.trouble("slack", null);
  world.provider.answers(SENT);
  await world.send(broken, { at: 10 * SECOND });
  expect(world.provider.arrived.map(({ kind }) => kind)).toEqual(["email", "slack"]);
});

it("waits 10 s, 1 min, 5 min, 30 min and 1 h, and gives up after the sixth attempt with a letter that can be replayed", async () => {
  const key = world.hasDelivery();
  const delays: unknown[] = [];
  for (const [index, at] of DUE.entries()) {
    world.provider.answers(failed(`500 for the ${index + 1}.`));
    const end = await world.send(key, { at });
    delays.push(end.kind === "retry" ? end.delaySeconds : end.kind);
  }
  expect(delays).toEqual([10, 60, 300, 1_800, 3_600, "done"]);
  expect(world.stateOf(key)).toMatchObject({
    status: "failed",
    attempts: 6,
    lastError: "500 for the 6.",
    nextAttemptAt: null,
    claim: null,
  });
  expect(world.letters.letters).toMatchObject([
    {
      queue: "bursar-notices",
      messageId: "m1",
      attempts: 6,
      error: "500 for the 6.",
      recordedAt: NOW + 5_770 * SECOND,
    },
  ]);
  const body = noticeMessageSchema.parse(world.letters.letters[0]?.body);
  expect([body.alert_id, body.channel_id]).toEqual([key.alertId, key.channelId]);
  expect(world.log.lines.at(-1)).toMatch(
    /^error dead letter recorded .*"queue":"bursar-notices","message_id":"m1".*"failed_attempts":6/,
  );
  expect(await world.send(key, { messageId: "m2" })).toEqual(DONE);
  expect(world.provider.offers).toHaveLength(6);
});

it("records the letter before the end, so a failing Postgres causes one more attempt", async () => {
  const key = world.has(aDispatch({ channel: { kind: "webhook" }, delivery: { attempts: 5 } }));
  world.provider.answers(failed());
  world.deadLetters.trouble("record", new Outage("postgres", "away", null));
  await expect(world.send(key)).rejects.toThrow();
  expect(world.stateOf(key)).toMatchObject({ status: "pending", attempts: 5, letters: 0 });
  world.deadLetters.trouble("record", null);
  world.deliveries.trouble("end", new Outage("postgres", "away", null));
  await expect(world.send(key)).rejects.toThrow();
  expect(world.stateOf(key)).toMatchObject({ status: "pending", attempts: 5, letters: 1 });
  world.deliveries.trouble("end", null);
  expect(await world.send(key)).toEqual(DONE);
  expect(world.stateOf(key)).toMatchObject({ status: "failed", attempts: 6, letters: 1 });
});

it("honours a longer Retry-After, up to twelve hours", async () => {
  const key = world.hasDelivery();
  world.provider.answers(failed("429", 90), failed("429", 48 * 3_600));
  expect(await world.send(key)).toMatchObject({ kind: "retry", delaySeconds: 90 });
  expect(world.postgres.of(key).nextAttemptAt).toBe(NOW + 90 * SECOND);
  expect(await world.send(key, { at: 90 * SECOND })).toMatchObject({ kind: "retry", delaySeconds: 12 * 3_600 });
  expect(world.postgres.of(key).nextAttemptAt).toBe(NOW + 90 * SECOND + 12 * HOUR);
});

it("sends the same id to the receiver at every attempt", async () => {
  const key = world.hasDelivery("webhook");
  world.provider.answers(failed(), failed(), SENT);
  for (const at of DUE.slice(0, 3)) await world.send(key, { at });
  expect(new Set(world.provider.offers.map(({ id }) => id)).size).toBe(1);
  expect(world.stateOf(key)).toMatchObject({ status: "sent", attempts: 3, lastError: null, claim: "sent" });
});

it("counts the attempt when a claim cannot be released, and lets its own message pass", async () => {
  const key = world.hasDelivery();
  world.provider.answers(failed(), SENT);
  world.claims.trouble("releaseNotice", new Outage("redis", "away", null));
  expect(await world.send(key)).toMatchObject({ kind: "retry", delaySeconds: 10 });
  expect(world.stateOf(key)).toMatchObject({ attempts: 1, claim: "m1" });
  expect(await world.send(key, { at: 10 * SECOND })).toEqual(DONE);
  expect(world.provider.arrived).toHaveLength(1);
});

it.each([
  ["rendering it", "notice rendering failed", "the notice could not be rendered"],
  ["its notifier", "notifier threw", "the notifier threw an error"],
])("counts a bug in %s like any failure, so that it ends with a letter and not in a loop", async (what, said, why) => {
  const alert = what === "rendering it" ? { periodStartedAt: Number.NaN, createdAt: Number.NaN } : {};
  const key = world.has(aDispatch({ alert, channel: { kind: "webhook" } }));
  if (what === "its notifier") world.notifier.trouble("webhook", new TypeError("a bug"));
  for (const at of DUE) await world.send(key, { at });
  expect(world.stateOf(key)).toMatchObject({ status: "failed", attempts: 6, lastError: why, letters: 1 });
  expect(world.log.lines[0]).toContain(`error ${said}`);
});

it("counts a notifier that throws a non-error like any failure", async () => {
  const key = world.hasDelivery();
  const slack = () => Promise.reject("a bug");
  const deps = { ...world.deps(), notifier: { ...world.provider.port, slack } };
  expect(await world.send(key, { deps })).toMatchObject({ kind: "retry", delaySeconds: 10 });
  expect(world.log.lines[0]).toContain('"error":"string"');
});

it("sends a delivery without a due time at once", async () => {
  const key = world.has(aDispatch({ delivery: { nextAttemptAt: null } }));
  expect(await world.send(key)).toEqual(DONE);
  expect(world.stateOf(key).status).toBe("sent");
});

it("retries and reports a target that cannot be decrypted, because its key may be restored", async () => {
  const key = world.has(aDispatch({ channel: { encryptedTarget: "broken" } }));
  expect(await world.send(key)).toMatchObject({ kind: "retry", delaySeconds: 10 });
  expect(world.provider.offers).toEqual([]);
  expect(world.stateOf(key)).toMatchObject({
    status: "pending",
    lastError: "the channel's target cannot be decrypted: send it again",
    claim: null,
  });
  for (const at of DUE.slice(1)) await world.send(key, { at });
  expect(world.stateOf(key)).toMatchObject({ status: "failed", letters: 1 });
});
