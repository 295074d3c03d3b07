// The world of sending a notice: fakes of every port, whose verbs can be slow, hang or fail. Time is virtual.

import type { MessageOutcome } from "../../../src/flows/notices/record-attempt.ts";
import { sendNotice } from "../../../src/flows/notices/send-notice.ts";
import type { ChannelKind } from "../../../src/records/channel.ts";
import type { DeliveryKey, Dispatch } from "../../../src/records/delivery.ts";
import { NOW } from "../../budget/builders.ts";
import { aDispatch, channelIdOf } from "../builders/notice-builders.ts";
import { plainCipher } from "../builders/plain-cipher.ts";
import { FakeClaims } from "../fakes/fake-claims.ts";
import { FakeDeadLetters } from "../fakes/fake-dead-letters.ts";
import { FakeDeliveries } from "../fakes/fake-deliveries.ts";
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
  send(key: DeliveryKey, { messageId = "m1", at = 0, deps = this.deps() } = {}): Promise<MessageOutcome> {
    return this.timers.runUntil(sendNotice({ key, queue: "bursar-notices", messageId, now: NOW + at }, deps));
  }

  /** The state of the notice in Postgres, Redis and the dead letters. */
  stateOf(key: DeliveryKey) {
    const claim = this.redis.notices.get(`${key.alertId} ${key.channelId}`) ?? null;
    return { ...this.postgres.of(key), claim, letters: this.letters.letters.length };
  }
}
