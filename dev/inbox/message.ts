// What the inbox keeps of one call: types only.

export const KINDS = ["slack", "email", "webhook"] as const;
export type Kind = (typeof KINDS)[number];

/** The door a message came in by. */
export type Via = "slack" | "resend" | "send_email" | "webhook";

export type SignatureVerdict = "valid" | "invalid" | "unknown_secret" | "missing";

export interface InboxMessage {
  readonly id: string;
  readonly kind: Kind;
  /** ISO 8601, in UTC. */
  readonly received_at: string;
  readonly accepted: boolean;
  /** What was answered; null when nothing was, as told by a failure of `timeout`. */
  readonly status: number | null;
  readonly via: Via;
  readonly path: string;
  /** Those that say something about the message; never a credential. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or the text itself when it is none. */
  readonly body: unknown;
  /** One line: Slack's text, an e-mail's subject, the type of a webhook's event. */
  readonly summary: string;
  /** Of webhooks only. */
  readonly signature?: SignatureVerdict;
  /** Of webhooks only: how many calls with this `webhook-id` had come to this webhook before; 0 for the first. */
  readonly repeats?: number;
  readonly problems: readonly string[];
}

export interface MessageFilter {
  readonly kind?: Kind | undefined;
  readonly accepted?: boolean | undefined;
  /** Webhooks: the event's `tenant_id`. Slack and e-mail: an id that stands in the rendered text as a word. */
  readonly tenant?: string | undefined;
  /** At most so many, the newest. */
  readonly limit?: number | undefined;
}
