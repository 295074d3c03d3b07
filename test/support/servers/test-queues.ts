// Queues that behave as Cloudflare's do, in virtual time: delivery at least once, in any order, in batches of any size,
// with delays, and into a dead-letter queue after the last retry. Independent of the messages' content.

import type { Instant } from "../../../src/budget/instant.ts";
import type { SeededRandom } from "../builders/seeded-random.ts";

export interface QueueRules {
  readonly maxBatchSize: number;
  readonly maxRetries: number;
  readonly retryDelaySeconds: number;
  readonly deadLetterQueue: string | null;
}

/** A message that is waiting for delivery. */
interface Waiting {
  readonly id: string;
  readonly body: unknown;
  readonly sentAt: Instant;
  readonly attempts: number;
  readonly dueAt: Instant;
}

/** The probability that an acknowledged message is delivered again. Rare, but Cloudflare does not rule it out. */
const COMES_AGAIN = 0.01;

export class TestQueues {
  readonly counts = { delivered: 0, retried: 0, cameAgain: 0, lost: 0 };
  /** The probability that a message to a queue is lost, as if an operator had purged the queue. */
  readonly losses = new Map<string, number>();
  readonly #rules: Readonly<Record<string, QueueRules>>;
  readonly #random: SeededRandom | null;
  readonly #clock: () => Instant;
  readonly #waiting = new Map<string, Waiting[]>();
  #sent = 0;

  /** With `random` null messages are delivered in order, in full batches, once. */
  constructor(rules: Readonly<Record<string, QueueRules>>, random: SeededRandom | null, clock: () => Instant) {
    this.#rules = rules;
    this.#random = random;
    this.#clock = clock;
    for (const name of Object.keys(rules)) this.#waiting.set(name, []);
  }

  producer(name: string): Queue {
    return {
      send: async (body, { delaySeconds = 0 } = {}) => this.#send(name, body, delaySeconds),
      sendBatch: async (messages) => {
        for (const { body, delaySeconds = 0 } of messages) this.#send(name, body, delaySeconds);
      },
    };
  }

  /** The number of messages, due or not. */
  get size(): number {
    return [...this.#waiting.values()].reduce((sum, waiting) => sum + waiting.length, 0);
  }

  /** Null when all queues are empty. */
  nextDueAt(): Instant | null {
    const dueAts = [...this.#waiting.values()].flatMap((waiting) => waiting.map(({ dueAt }) => dueAt));
    return dueAts.length === 0 ? null : dueAts.reduce((first, dueAt) => Math.min(first, dueAt));
  }

  /** Takes up to `atOnce` batches of due messages. The caller must settle each batch. */
  takeBatches(atOnce: number): TestBatch[] {
    const batches: TestBatch[] = [];
    while (batches.length < atOnce) {
      const due = [...this.#waiting].filter(([, waiting]) => waiting.some((each) => this.#isDue(each)));
      const queue = this.#random === null ? due[0]?.[0] : due.length > 0 && this.#random.pick(due)[0];
      if (!queue) break;
      const messages = this.#takeDue(queue);
      this.counts.delivered += messages.length;
      batches.push(new TestBatch(queue, messages, (each, end) => this.#settle(queue, each, end)));
    }
    return batches;
  }

  #send(queue: string, body: unknown, delaySeconds: number): void {
    if (this.#random?.chance(this.losses.get(queue) ?? 0)) {
      this.counts.lost++;
      return;
    }
    const sentAt = this.#clock();
    // Through JSON, as on the wire, so that tests do not rely on values that JSON cannot hold.
    const sent = { id: `m${this.#sent++}`, body: JSON.parse(JSON.stringify(body)) as unknown, sentAt };
    this.#put(queue, { ...sent, attempts: 1, dueAt: sentAt + delaySeconds * 1_000 });
  }

  #takeDue(queue: string): Waiting[] {
    const { maxBatchSize } = this.#rulesOf(queue);
    const all = this.#waiting.get(queue) ?? [];
    const due = all.filter((each) => this.#isDue(each));
    const size = this.#random === null ? maxBatchSize : 1 + this.#random.below(maxBatchSize);
    const taken = (this.#random?.shuffled(due) ?? due).slice(0, size);
    const isTaken = new Set(taken);
    this.#waiting.set(
      queue,
      all.filter((each) => !isTaken.has(each)),
    );
    return taken;
  }

  #settle(queue: string, message: Waiting, end: End): void {
    const { maxRetries, retryDelaySeconds, deadLetterQueue } = this.#rulesOf(queue);
    const after = (seconds: number) => this.#clock() + seconds * 1_000;
    const again = { ...message, attempts: message.attempts + 1 };
    if (end === "acked" && this.#random?.chance(COMES_AGAIN)) {
      this.counts.cameAgain++;
      this.#put(queue, { ...again, dueAt: after(retryDelaySeconds) });
    }
    if (end === "acked") return;
    this.counts.retried++;
    const dueAt = after(end.retryAfterSeconds ?? retryDelaySeconds);
    if (message.attempts <= maxRetries) this.#put(queue, { ...again, dueAt });
    else if (deadLetterQueue !== null) this.#put(deadLetterQueue, { ...message, attempts: 1, dueAt: after(0) });
  }

  #put(queue: string, message: Waiting): void {
    this.#rulesOf(queue);
    this.#waiting.get(queue)?.push(message);
  }

  #rulesOf(queue: string): QueueRules {
    const rules = this.#rules[queue];
    if (rules === undefined) throw new Error(`no such queue: ${queue}`);
    return rules;
  }

  #isDue({ dueAt }: Waiting): boolean {
    return dueAt <= this.#clock();
  }
}

type End = "acked" | { readonly retryAfterSeconds: number | null };

export class TestBatch implements MessageBatch {
  readonly queue: string;
  readonly messages: readonly Message[];
  readonly #ends = new Map<Waiting, End>();
  readonly #waiting: readonly Waiting[];
  readonly #settle: (message: Waiting, end: End) => void;

  constructor(queue: string, waiting: readonly Waiting[], settle: (message: Waiting, end: End) => void) {
    this.queue = queue;
    this.#waiting = waiting;
    this.#settle = settle;
    this.messages = waiting.map((each) => ({
      id: each.id,
      timestamp: new Date(each.sentAt),
      body: each.body,
      attempts: each.attempts,
      ack: () => void this.#ends.set(each, "acked"),
      retry: ({ delaySeconds = null }: { delaySeconds?: number | null } = {}) =>
        void this.#ends.set(each, { retryAfterSeconds: delaySeconds }),
    }));
  }

  ackAll(): void {
    for (const message of this.messages) message.ack();
  }

  retryAll(options?: { delaySeconds?: number }): void {
    for (const message of this.messages) message.retry(options);
  }

  /** Ends the batch. Undecided messages count as acknowledged. If the consumer died, all messages are redelivered. */
  settle({ hasDied }: { hasDied: boolean }): void {
    for (const each of this.#waiting) {
      this.#settle(each, hasDied ? { retryAfterSeconds: null } : (this.#ends.get(each) ?? "acked"));
    }
  }
}
