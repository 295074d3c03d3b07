// Replaying a dead letter: its notice can be sent again, its body is on its queue, and the letter names the
// administrator.

import { beforeEach, describe, expect, it } from "vitest";
import { replayDeadLetter } from "../../../src/flows/notices/replay-dead-letter.ts";
import { noticeMessage } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { anActor } from "../../support/builders/builders.ts";
import { aDispatch, uuidOf } from "../../support/builders/notice-builders.ts";
import { FakeDeadLetters } from "../../support/fakes/fake-dead-letters.ts";
import { FakeDeliveries } from "../../support/fakes/fake-deliveries.ts";

const actor = anActor({ now: NOW + MINUTE });
const id = uuidOf(1);
const { alertId, channelId } = aDispatch().delivery;
const key = { alertId, channelId };

let deadLetters: FakeDeadLetters;
let deliveries: FakeDeliveries;
let sent: [queue: string, body: unknown, delivery: string][];
let isRefusing: boolean;
beforeEach(() => {
  deadLetters = new FakeDeadLetters();
  deliveries = new FakeDeliveries();
  sent = [];
  isRefusing = false;
});

/** Accepts every queue of Bursar, and records the delivery's state at the moment of the message. */
const replayQueues = {
  async send(queue: string, body: unknown) {
    if (isRefusing) throw new Outage("queue", "send", null);
    if (!queue.startsWith("bursar-")) return false;
    sent.push([queue, body, (await deliveries.load([key]))[0]?.delivery.status ?? "none"]);
    return true;
  },
};
const replay = (letterId = id) => replayDeadLetter({ id: letterId, actor }, { deadLetters, deliveries, replayQueues });
const record = (queue: string, body: unknown) =>
  deadLetters.record({ queue, messageId: "m1", body, attempts: 6, error: "500", recordedAt: NOW });

describe("dead letter of a notice", () => {
  const body = noticeMessage(key);
  beforeEach(() => record("bursar-notices", body));

  it("makes a failed delivery pending before its message arrives, as if it had never been tried", async () => {
    deliveries.has(aDispatch({ delivery: { status: "failed", attempts: 6, lastError: "500", nextAttemptAt: null } }));
    await replay();
    expect(sent).toEqual([["bursar-notices", body, "pending"]]);
    expect(deliveries.of(key)).toMatchObject({ attempts: 0, lastError: null, nextAttemptAt: NOW + MINUTE });
  });

  it("leaves a notice that was sent meanwhile as sent", async () => {
    deliveries.has(aDispatch({ delivery: { status: "sent", attempts: 7 } }));
    await replay();
    expect(deliveries.of(key)).toMatchObject({ status: "sent", attempts: 7 });
  });

  it("replays a notice of a deleted channel without any effect", async () => {
    expect(await replay()).toMatchObject({ ok: true });
    expect(sent).toEqual([["bursar-notices", body, "none"]]);
  });
});

it.each([{ any: "thing" }, null, 7, { kind: "notice", alert_id: "" }])("goes back as it was: %j", async (body) => {
  await record("bursar-spend-dead", body);
  expect(await replay()).toMatchObject({ ok: true });
  expect(sent).toEqual([["bursar-spend-dead", body, "none"]]);
});

it("marks the letter with time and actor, and returns both", async () => {
  await record("bursar-spend", 1);
  const marked = { id, queue: "bursar-spend", body: 1, replayedAt: NOW + MINUTE, replayedBy: "alice" };
  expect(await replay()).toMatchObject({ ok: true, value: marked });
  expect(deadLetters.letters).toMatchObject([marked]);
});

it("sends two messages and keeps one letter when it is replayed twice", async () => {
  await record("bursar-spend", 1);
  expect([await replay(), await replay()]).toMatchObject([{ ok: true }, { ok: true }]);
  expect([sent.length, deadLetters.letters.length]).toEqual([2, 1]);
});

it("reports a letter that does not exist", async () => {
  expect(await replay(uuidOf(9))).toEqual({ ok: false, failure: "not_found" });
});

it("neither sends nor marks a letter of an unknown queue", async () => {
  await record("somebody-else's", 1);
  expect(await replay()).toEqual({ ok: false, failure: "unknown_queue" });
  expect([sent, deadLetters.letters[0]?.replayedAt]).toEqual([[], null]);
});

it("leaves a letter unmarked that the queue refuses, so it can be replayed later", async () => {
  await record("bursar-spend", 1);
  isRefusing = true;
  await expect(replay()).rejects.toMatchObject({ name: "Outage", dependency: "queue" });
  expect(deadLetters.letters[0]?.replayedAt).toBeNull();
  isRefusing = false;
  expect(await replay()).toMatchObject({ ok: true });
});
