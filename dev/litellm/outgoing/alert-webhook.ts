// Sends alerts to the webhook, each event of a subject once per day. Like LiteLLM, it looks up the mark, sends the
// alert, then sets the mark: concurrent alerts are all sent, and the next call sends a failed alert again.
// Must never delay a call.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Behaviour } from "../profiles.ts";
import { type Alert, eventOnWire } from "./alerts.ts";
import type { Post } from "./post.ts";
import { drawn, drawnWhole, type WebhookReceiver } from "./receivers.ts";
import { signatureHeaders } from "./relay-signature.ts";
import type { SentLog } from "./sent-log.ts";

const DAY_MS = 86_400_000;

export interface WebhookTools {
  post: Post;
  sent: SentLog;
  now: () => number;
  random: () => number;
  behaviour: Behaviour;
  /** Its abort cancels alerts that still wait for their delay. */
  shutdown: () => AbortSignal;
}

export class AlertWebhook {
  receiver: WebhookReceiver | null = null;
  readonly #tools: WebhookTools;
  /** The instant until which an event of a subject counts as sent. */
  readonly #marks = new Map<string, number>();

  constructor(tools: WebhookTools) {
    this.#tools = tools;
  }

  /** False: the alert was sent, but the receiver did not accept it. */
  async sendOnce(alert: Alert): Promise<boolean> {
    const { receiver } = this;
    if (receiver === null) return true;
    const mark = `budget_alerts:${alert.event.event}:${alert.subject}`;
    if ((this.#marks.get(mark) ?? 0) > this.#tools.now()) return true;
    const wasAccepted = await this.#deliver(alert, receiver);
    if (wasAccepted) this.#marks.set(mark, this.#tools.now() + (receiver.budgetAlertTtlMs ?? DAY_MS));
    return wasAccepted;
  }

  async sendAlways(alert: Alert): Promise<void> {
    if (this.receiver !== null) await this.#deliver(alert, this.receiver);
  }

  /** LiteLLM keeps the marks in the proxy's memory, so a restart clears them. */
  forget(): void {
    this.#marks.clear();
  }

  async #deliver(alert: Alert, receiver: WebhookReceiver): Promise<boolean> {
    const message = {
      id: `msg_${randomUUID()}`,
      body: JSON.stringify(eventOnWire(alert.event, this.#tools.behaviour)),
    };
    const copies = drawnWhole(receiver.copies ?? 1, this.#tools.random);
    const sendings = Array.from({ length: copies }, () => this.#send(alert, receiver, message));
    return (await Promise.all(sendings)).includes(true);
  }

  /** Any 2xx counts as delivered. LiteLLM does not follow a redirect, so it counts as failed. */
  async #send(alert: Alert, receiver: WebhookReceiver, message: { id: string; body: string }): Promise<boolean> {
    const { post, sent, now, random, shutdown } = this.#tools;
    const delayMs = drawn(receiver.delayMs ?? 0, random);
    const isCancelled =
      delayMs > 0 && (await sleep(delayMs, false, { ref: false, signal: shutdown() }).catch(() => true));
    if (isCancelled) return false;
    const at = now();
    const headers = receiver.relay === undefined ? {} : signatureHeaders(receiver.relay, { ...message, at });
    const { status } = await post({ url: receiver.url, headers, body: message.body });
    sent.add({ kind: "webhook", event: alert.event.event, subject: alert.subject, status, at });
    return status !== null && status >= 200 && status < 300;
  }
}
