// Sends alerts to the webhook, each event of a subject once per day: looked up, sent, then marked, in this order.
// Must never delay a call. Alerts of the same moment are all sent, and one that fails is sent again by the next call.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Alert } from "./alerts.ts";
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
  /** Ends what is still waiting to be sent. */
  life: () => AbortSignal;
}

export class AlertWebhook {
  receiver: WebhookReceiver | null = null;
  readonly #tools: WebhookTools;
  /** Until when an event of a subject counts as sent. */
  readonly #marks = new Map<string, number>();

  constructor(tools: WebhookTools) {
    this.#tools = tools;
  }

  /** False: it was sent and no receiver accepted it. */
  async sendOnce(alert: Alert): Promise<boolean> {
    const { receiver } = this;
    if (receiver === null) return true;
    const mark = `budget_alerts:${alert.event.event}:${alert.subject}`;
    if ((this.#marks.get(mark) ?? 0) > this.#tools.now()) return true;
    const wasTaken = await this.#deliver(alert, receiver);
    if (wasTaken) this.#marks.set(mark, this.#tools.now() + (receiver.budgetAlertTtlMs ?? DAY_MS));
    return wasTaken;
  }

  async sendAlways(alert: Alert): Promise<void> {
    if (this.receiver !== null) await this.#deliver(alert, this.receiver);
  }

  /** The marks are in the proxy's memory only, and end with it. */
  forget(): void {
    this.#marks.clear();
  }

  async #deliver(alert: Alert, receiver: WebhookReceiver): Promise<boolean> {
    const message = { id: `msg_${randomUUID()}`, body: JSON.stringify(alert.event) };
    const copies = drawnWhole(receiver.copies ?? 1, this.#tools.random);
    const sendings = Array.from({ length: copies }, () => this.#send(alert, receiver, message));
    return (await Promise.all(sendings)).includes(true);
  }

  /** Any 2xx is taken for delivered; a redirect is not followed and has failed. */
  async #send(alert: Alert, receiver: WebhookReceiver, message: { id: string; body: string }): Promise<boolean> {
    const { post, sent, now, random, life } = this.#tools;
    const delayMs = drawn(receiver.delayMs ?? 0, random);
    const isOver = delayMs > 0 && (await sleep(delayMs, false, { ref: false, signal: life() }).catch(() => true));
    if (isOver) return false;
    const at = now();
    const headers = receiver.relay === undefined ? {} : signatureHeaders(receiver.relay, { ...message, at });
    const { status } = await post({ url: receiver.url, headers, body: message.body });
    sent.add({ kind: "webhook", event: alert.event.event, subject: alert.subject, status, at });
    return status !== null && status >= 200 && status < 300;
  }
}
