// The sweep queues the digests that are due.

import { expect, it } from "vitest";
import { gatherDigests } from "../../../src/flows/notices/gather-digests.ts";
import { NOW } from "../../budget/builders.ts";
import { alertIdOf, channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { FakeDeliveries } from "../../support/fakes/fake-deliveries.ts";
import { FakeNoticeQueue } from "../../support/fakes/fake-notice-queue.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";

it("queues each digest once, and says nothing when there is none", async () => {
  const [deliveries, noticeQueue, log] = [new FakeDeliveries(), new FakeNoticeQueue(), new RecordedLog()];
  deliveries.digests.push({ alertId: alertIdOf(1), channelId: channelIdOf(2) });
  for (let sweeps = 0; sweeps < 2; sweeps++) await gatherDigests({ now: NOW }, { deliveries, noticeQueue, log });
  expect(noticeQueue.sent).toEqual([{ kind: "notice", alert_id: uuidOf(1), channel_id: uuidOf(2) }]);
  expect(log.lines).toEqual(['info digests gathered {"digests":1}']);
});
