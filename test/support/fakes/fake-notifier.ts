// A notifier that returns the outcomes that a test sets, in order, and repeats the last. Records every attempt.

import type { Notifier } from "../../../src/ports/ports.ts";
import type { ChannelKind } from "../../../src/records/channel.ts";
import type { SendOutcome } from "../../../src/records/delivery.ts";

export interface Offer {
  readonly kind: ChannelKind;
  readonly to: string;
  /** The id by which receivers dedupe. Null for the chats, which have none. */
  readonly id: string | null;
  readonly content: unknown;
  readonly outcome: SendOutcome["kind"];
}

export const SENT: SendOutcome = { kind: "sent" };
export const REJECTED: SendOutcome = { kind: "rejected", why: "403 invalid_token" };
export const NOT_CONFIGURED: SendOutcome = { kind: "not_configured", why: "EMAIL_FROM is empty" };

export function failed(why = "500", retryAfterSeconds: number | null = null): SendOutcome {
  return { kind: "failed", why, retryAfterSeconds };
}

export function limited(retryAfterSeconds: number | null = null): SendOutcome {
  return { kind: "rate_limited", why: "status 429", retryAfterSeconds };
}

export const UNANSWERED: SendOutcome = { kind: "unanswered", why: "no answer in time" };

export class FakeNotifier {
  readonly offers: Offer[] = [];
  #script: SendOutcome[] = [SENT];

  answers(...outcomes: SendOutcome[]): void {
    this.#script = outcomes;
  }

  /** The attempts that the provider accepted. */
  get arrived(): Offer[] {
    return this.offers.filter(({ outcome }) => outcome === "sent");
  }

  readonly port: Notifier = {
    slack: async (url, message) => this.#take("slack", url, null, message),
    email: async (to, message, id) => this.#take("email", to.join(), id, message),
    webhook: async (url, secret, { webhookId, ...event }) =>
      this.#take("webhook", url, webhookId, { ...event, secret }),
    pagerduty: async (routingKey, event) => this.#take("pagerduty", routingKey, event.dedup_key, event),
    teams: async (url, message) => this.#take("teams", url, null, message),
    discord: async (url, message) => this.#take("discord", url, null, message),
  };

  #take(kind: ChannelKind, to: string, id: string | null, content: unknown): SendOutcome {
    const outcome = (this.#script.length > 1 ? this.#script.shift() : this.#script[0]) ?? SENT;
    this.offers.push({ kind, to, id, content, outcome: outcome.kind });
    return outcome;
  }
}
