// The world of sending a notice: fakes of every port, whose verbs can be slow, hang or fail. Time is virtual.

import { IsolateBreakers } from "../../../src/adapters/cloudflare/isolate-breakers.ts";
import type { MessageOutcome } from "../../../src/flows/notices/record-attempt.ts";
import { sendBatch } from "../../../src/flows/notices/send-batch.ts";
import type { ChannelKind } from "../../../src/records/channel.ts";
import type { DeliveryKey, Dispatch } from "../../../src/records/delivery.ts";
import { NOW } from "../../budget/builders.ts";
import { aDispatch, channelIdOf } from "../builders/notice-builders.ts";
import { plainCipher } from "../builders/plain-cipher.ts";
import { FakeClaims } from "../fakes/fake-claims.ts";
import { FakeDeadLetters } from "../fakes/fake-dead-letters.ts";
import { FakeDeliveries } from "../fakes/fake-deliveries.ts";
import { FakeNoticeQueue } from "../fakes/fake-notice-queue.ts";
import { FakeNotifier } from "../fakes/fake-notifier.ts";
import { RecordedLog } from "../fakes/recorded-log.ts";
import { VirtualTimers } from "../fakes/virtual-timers.ts";
import { breakable } from "../faults/breakable.ts";
import { POLICY } from "./check-world.ts";

export class NoticeWorld {
  readonly timers = new VirtualTimers();
  readonly postgres = new FakeDeliveries();
  readonly redis = new FakeClaims();
  readonly provider = new FakeNotifier();
  readonly noticeQueue = new FakeNoticeQueue();
  readonly channelBreakers = new IsolateBreakers();
  readonly letters = new FakeDeadLetters();
  readonly log = new RecordedLog();
  readonly deliveries = breakable(this.postgres, this.timers);
  readonly claims = breakable(this.redis, this.timers);
  readonly deadLetters = breakable(this.letters, this.timers);
  readonly notifier = breakable(this.provider.port, this.timers);
  readonly cipher = breakable(plainCipher, this.timers);

  deps() {
    return {
      deliveries: this.deliveries.port,
      claims: this.claims.port,
      cipher: this.cipher.port,
      notifier: this.notifier.port,
      policy: POLICY,
      noticeQueue: this.noticeQueue,
      channelBreakers: this.channelBreakers,
      deadLetters: this.deadLetters.port,
      timers: this.timers,
      log: this.log,
    };
  }

  /** Adds a pending delivery to a channel of the kind. */
  hasDelivery(kind: ChannelKind = "slack", number = 1): DeliveryKey {
    return this.has(aDispatch({ channel: { kind, id: channelIdOf(number) } }));
  }

  has(dispatch: Dispatch): DeliveryKey {
    this.postgres.has(dispatch);
    const { alertId, channelId } = dispatch.delivery;
    return { alertId, channelId };
  }

  /** Delivers one message once, `at` milliseconds after the alert. */
  send(key: DeliveryKey, { messageId = "m1", at = 0, random = 0, deps = this.deps() } = {}): Promise<MessageOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<MessageOutcome>();
    const notice = { key, messageId, end: async (outcome: MessageOutcome) => resolve(outcome), fail: reject };
    const input = { notices: [notice], queue: "bursar-notices", random: () => random };
    const sent = sendBatch(input, { ...deps, clock: () => NOW + at });
    return this.timers.runUntil(sent.then(() => promise));
  }

  /** The state of the notice in Postgres, Redis and the dead letters. */
  stateOf(key: DeliveryKey) {
    const claim = this.redis.notices.get(`${key.alertId} ${key.channelId}`) ?? null;
    return { ...this.postgres.of(key), claim, letters: this.letters.letters.length };
  }
}
