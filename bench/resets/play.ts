// The first of a month in virtual time: many budgets reset within a minute, and some tenants are really blocked. The
// consumer, the flows and the pace are Bursar's; Postgres, Redis, the queue and Slack are simulated.

import { IsolateBreakers } from "../../src/adapters/cloudflare/isolate-breakers.ts";
import { audienceOf } from "../../src/budget/delivery/severity.ts";
import type { Instant } from "../../src/budget/instant.ts";
import { digestAt } from "../../src/budget/schedules/digest.ts";
import { type NoticeMessage, noticeMessage } from "../../src/ports/messages.ts";
import type { Ports } from "../../src/ports/ports.ts";
import { consumeNotices } from "../../src/queue/notices.ts";
import type { DeliveryKey, Dispatch, SendOutcome } from "../../src/records/delivery.ts";
import type { PlatformDispatch } from "../../src/records/platform-alert.ts";
import { NOW } from "../../test/budget/builders.ts";
import { idOf } from "../../test/support/builders/builders.ts";
import { aDispatch, alertIdOf, channelIdOf, uuidOf } from "../../test/support/builders/notice-builders.ts";
import { plainCipher } from "../../test/support/builders/plain-cipher.ts";
import { FakeClaims } from "../../test/support/fakes/fake-claims.ts";
import { FakeDeadLetters } from "../../test/support/fakes/fake-dead-letters.ts";
import { FakeDeliveries } from "../../test/support/fakes/fake-deliveries.ts";
import { RecordedLog } from "../../test/support/fakes/recorded-log.ts";

export interface Month {
  readonly resets: number;
  readonly blocks: number;
  readonly random: () => number;
}

export interface Played {
  /** Deliveries that ended otherwise than sent. */
  readonly lost: number;
  readonly deadLetters: number;
  /** How long after its alert the last block was told, in seconds. */
  readonly slowestBlockSeconds: number;
  readonly digests: number;
  /** Notices that Slack did not take at once. */
  readonly limited: number;
}

const BATCH = 30;
/** Of the queue's consumer. */
const MAX_RETRIES = 20;
const BURST_MS = 60_000;
const OPERATIONS = channelIdOf(1);
const RESETS = channelIdOf(2);

/** Everything that the month sends: of each tenant's block, and of the resets that one channel asks for. */
export async function playMonth({ resets, blocks, random }: Month): Promise<Played> {
  const start = digestAt(NOW);
  const clock = new VirtualClock(start);
  const postgres = new FakeDeliveries();
  const letters = new FakeDeadLetters();
  const slack = new Slack(clock);
  const queue = new VirtualQueue(clock);
  const told = new Map<string, { at: Instant; recordedAt: Instant }>();

  if (audienceOf("budget_reset").isPlatformDefault)
    throw new Error("a reset has a notice of its own again: play each one");
  for (let number = 0; number < blocks; number++) {
    const at = start + Math.floor(random() * BURST_MS);
    const key = record(postgres, number + 1, "budget_blocked", OPERATIONS, at);
    told.set(key.alertId, { at: Number.POSITIVE_INFINITY, recordedAt: at });
    queue.add(key, at);
  }
  // What else fills the channel in the same minute: a warning of every tenth tenant, and the digest of the hour.
  for (let number = 0; number < resets / 10; number++) {
    const at = start + Math.floor(random() * BURST_MS);
    queue.add(record(postgres, number + 500_000, "threshold_crossed", OPERATIONS, at), at);
  }
  const digest = recordDigest(postgres, resets, digestAt(start));
  queue.add(digest, digestAt(start));

  const ports = {
    deliveries: postgres,
    claims: new FakeClaims(),
    deadLetters: letters,
    cipher: plainCipher,
    channelBreakers: new IsolateBreakers(),
    log: new RecordedLog(),
    clock: () => clock.now,
    timers: { after: () => ({ passed: new Promise<"passed">(() => {}), cancel: () => {} }) },
    notifier: { slack: async () => slack.take() },
    policy: { publicUrl: "https://bursar.example" },
    noticeQueue: { sendAll: async (messages: readonly NoticeMessage[], seconds = 0) => queue.send(messages, seconds) },
  } as unknown as Ports;
  for (let batch = queue.next(BATCH); batch.length > 0; batch = queue.next(BATCH)) {
    await consumeNotices({ queue: "bursar-notices", messages: batch as unknown as Message<unknown>[] }, ports);
    for (const block of told.keys()) {
      const key = { alertId: block, channelId: OPERATIONS } as DeliveryKey;
      const { sentAt } = postgres.of(key);
      const times = told.get(block);
      if (sentAt !== null && times !== undefined) told.set(block, { ...times, at: Math.min(times.at, sentAt) });
    }
  }
  return {
    lost: postgres.all().filter(({ status }) => status !== "sent").length,
    deadLetters: letters.letters.length + queue.dead,
    slowestBlockSeconds: Math.max(0, ...[...told.values()].map(({ at, recordedAt }) => (at - recordedAt) / 1_000)),
    digests: postgres.of(digest).status === "sent" ? 1 : 0,
    limited: slack.limited,
  };
}

type Event = Dispatch["alert"]["eventType"];

function record(postgres: FakeDeliveries, number: number, eventType: Event, channelId: typeof OPERATIONS, at: Instant) {
  const alert = { id: alertIdOf(number), tenantId: idOf(`t${number}`), eventType, createdAt: at };
  postgres.has(aDispatch({ alert, channel: { id: channelId }, delivery: { nextAttemptAt: at } }));
  return { alertId: alert.id, channelId };
}

/** One notice for every reset of the hour. */
function recordDigest(postgres: FakeDeliveries, tenants: number, at: Instant): DeliveryKey {
  const { delivery, channel } = aDispatch({
    alert: { id: alertIdOf(900_000) },
    channel: { id: RESETS },
    delivery: { nextAttemptAt: at },
  });
  const platformAlert: PlatformDispatch["platformAlert"] = {
    id: delivery.alertId,
    kind: "budgets_reset",
    detail: { tenants, names: "acme" },
    begunAt: at,
    createdAt: at,
  };
  postgres.has({ delivery, channel, platformAlert });
  return delivery;
}

class VirtualClock {
  now: Instant;

  constructor(now: Instant) {
    this.now = now;
  }
}

/** One message a second; 429 beyond, with the rest of the second to wait. An answer takes 100 ms. */
class Slack {
  limited = 0;
  readonly #clock: VirtualClock;
  #freeAt = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  take(): SendOutcome {
    this.#clock.now += 100;
    if (this.#clock.now < this.#freeAt) {
      this.limited++;
      return { kind: "rate_limited", why: "status 429", retryAfterSeconds: 1 };
    }
    this.#freeAt = this.#clock.now + 1_000;
    return { kind: "sent" };
  }
}

interface Queued {
  readonly id: string;
  readonly body: NoticeMessage;
  readonly dueAt: Instant;
  readonly attempts: number;
}

/** Delivers in order of time. Counts the retries of a message as Cloudflare Queues do. */
class VirtualQueue {
  dead = 0;
  readonly #clock: VirtualClock;
  #waiting: Queued[] = [];
  #ids = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  add(key: DeliveryKey, dueAt: Instant): void {
    this.#waiting.push({ id: uuidOf(this.#ids++), body: noticeMessage(key), dueAt, attempts: 1 });
  }

  send(messages: readonly NoticeMessage[], delaySeconds: number): void {
    const dueAt = this.#clock.now + delaySeconds * 1_000;
    for (const body of messages) this.#waiting.push({ id: uuidOf(this.#ids++), body, dueAt, attempts: 1 });
  }

  next(atMost: number) {
    this.#waiting.sort((a, b) => a.dueAt - b.dueAt);
    const [first] = this.#waiting;
    if (first === undefined) return [];
    this.#clock.now = Math.max(this.#clock.now, first.dueAt);
    const due = this.#waiting.filter(({ dueAt }) => dueAt <= this.#clock.now).slice(0, atMost);
    const taken = new Set(due);
    this.#waiting = this.#waiting.filter((message) => !taken.has(message));
    return due.map((message) => ({
      ...message,
      timestamp: new Date(message.dueAt),
      ack: () => {},
      retry: ({ delaySeconds = 0 } = {}) => this.#retry(message, delaySeconds),
    }));
  }

  #retry(message: Queued, delaySeconds: number): void {
    if (message.attempts > MAX_RETRIES) this.dead++;
    else {
      const dueAt = this.#clock.now + delaySeconds * 1_000;
      this.#waiting.push({ ...message, dueAt, attempts: message.attempts + 1 });
    }
  }
}
