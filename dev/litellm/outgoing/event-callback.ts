// The generic_api callback: collects finished and refused calls and sends them in batches.
// Delivers at most once: a batch leaves the queue even if sending fails. Must not keep a call's messages after that.

import type { CallFinished, CallRefused } from "../calls/call-events.ts";
import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import type { Post } from "./post.ts";
import type { EventsReceiver } from "./receivers.ts";
import type { SentLog } from "./sent-log.ts";
import { refusalPayload, successPayload } from "./standard-payload.ts";

/** LiteLLM's real values. LiteLLM ignores its settings for both. */
const FLUSH_EVERY_MS = 5_000;
const BATCH_SIZE = 512;

export interface CallbackTools {
  post: Post;
  sent: SentLog;
  now: () => number;
  behaviour: Behaviour;
  /** Receives the promise of each batch that a timer or a full queue sends, so that a caller can wait for it. */
  track: (sending: Promise<void>) => void;
}

export class EventCallback {
  readonly #tools: CallbackTools;
  #receiver: EventsReceiver | null = null;
  #queue: Body[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(tools: CallbackTools) {
    this.#tools = tools;
  }

  /** Collected events go to the new receiver; null drops them. */
  connect(receiver: EventsReceiver | null): void {
    this.#receiver = receiver;
    if (receiver === null) this.forget();
  }

  add(event: CallFinished | CallRefused): void {
    const receiver = this.#receiver;
    const isKeptOut = event.call.isUnlogged && receiver?.globalDisableNoLogParam !== true;
    if (receiver === null || (isKeptOut && event.kind === "call_finished")) return;
    const wording = { isRedacted: receiver.turnOffMessageLogging === true, behaviour: this.#tools.behaviour };
    this.#queue.push(event.kind === "call_finished" ? successPayload(event, wording) : refusalPayload(event, wording));
    if (this.#queue.length >= BATCH_SIZE) this.#tools.track(this.flush());
    else this.#timer ??= this.#flushLater(receiver.flushEveryMs ?? FLUSH_EVERY_MS);
  }

  /** Sends the collected events now. */
  async flush(): Promise<void> {
    const receiver = this.#receiver;
    const batch = this.#queue;
    this.forget();
    if (receiver === null || batch.length === 0) return;
    const bodies = bodiesOf(batch, receiver.logFormat ?? "json_array");
    await Promise.all(bodies.map(({ body, count }) => this.#send(receiver, body, count)));
  }

  /** Stops the timer and drops the collected events. */
  forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue = [];
  }

  /** The interval starts with the first call of a batch, so no timer runs while there is nothing to send. */
  #flushLater(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#tools.track(this.flush()), ms).unref();
  }

  async #send({ url, token }: EventsReceiver, body: string, count: number): Promise<void> {
    const at = this.#tools.now();
    const { status } = await this.#tools.post({ url, headers: { authorization: `Bearer ${token}` }, body });
    this.#tools.sent.add({ kind: "events", count, status, at });
  }
}

function bodiesOf(batch: Body[], format: NonNullable<EventsReceiver["logFormat"]>): { body: string; count: number }[] {
  const { length: count } = batch;
  switch (format) {
    case "json_array":
      return [{ body: JSON.stringify(batch), count }];
    case "ndjson":
      return [{ body: batch.map((one) => JSON.stringify(one)).join("\n"), count }];
    case "single":
      return batch.map((one) => ({ body: JSON.stringify(one), count: 1 }));
  }
}
