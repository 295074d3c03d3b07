// The sweep requeues deliveries that were not attempted ten minutes after they were due.

import { beforeEach, describe, expect, it } from "vitest";
import { requeueDeliveries } from "../../../src/flows/notices/requeue-deliveries.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { aDispatch, channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { FakeDeliveries } from "../../support/fakes/fake-deliveries.ts";
import { FakeNoticeQueue } from "../../support/fakes/fake-notice-queue.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";

let deliveries: FakeDeliveries;
let noticeQueue: FakeNoticeQueue;
let log: RecordedLog;
beforeEach(() => {
  deliveries = new FakeDeliveries();
  noticeQueue = new FakeNoticeQueue();
  log = new RecordedLog();
});

const has = (number: number, dueMinutesAgo: number, status: "pending" | "sent" | "failed" = "pending") =>
  deliveries.has(
    aDispatch({
      channel: { id: channelIdOf(number) },
      delivery: { status, nextAttemptAt: NOW - dueMinutesAgo * MINUTE },
    }),
  );
const sweepAt = (minutes: number) =>
  requeueDeliveries({ now: NOW + minutes * MINUTE }, { deliveries, noticeQueue, log });
const queued = () => noticeQueue.sent.map(({ channel_id }) => channel_id);

describe("a delivery", () => {
  it("requeues a pending delivery that is more than ten minutes late, with its original message", async () => {
    has(1, 10.1);
    has(2, 10);
    has(3, 60, "sent");
    has(4, 60, "failed");
    await sweepAt(0);
    expect(noticeQueue.sent).toEqual([{ kind: "notice", alert_id: uuidOf(1), channel_id: uuidOf(1) }]);
    expect(log.lines).toEqual(['warn overdue deliveries requeued {"deliveries":1}']);
  });

  it("requeues a delivery once when sweeps overlap, and again only after another ten minutes", async () => {
    has(1, 11);
    await Promise.all([sweepAt(0), sweepAt(0), sweepAt(1), sweepAt(9)]);
    expect(queued()).toEqual([uuidOf(1)]);
    await sweepAt(10.1);
    expect(queued()).toEqual([uuidOf(1), uuidOf(1)]);
  });

  it("requeues a delivery later that the queue refused", async () => {
    has(1, 11);
    noticeQueue.isAway = true;
    await expect(sweepAt(0)).rejects.toMatchObject({ dependency: "queue" });
    noticeQueue.isAway = false;
    await sweepAt(11);
    expect(queued()).toEqual([uuidOf(1)]);
  });
});

it("takes at most 500 a minute, and the others the next minute", async () => {
  for (let number = 1; number <= 700; number++) has(number, 11);
  await sweepAt(0);
  expect(noticeQueue.sent).toHaveLength(500);
  await sweepAt(1);
  expect(new Set(queued()).size).toBe(700);
});

it("makes no call and logs nothing without overdue deliveries", async () => {
  noticeQueue.isAway = true;
  await sweepAt(0);
  expect(log.lines).toEqual([]);
});
