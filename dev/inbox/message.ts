// A message as the inbox keeps it, and the filter for messages. Types only.

export const KINDS = ["slack", "email", "webhook", "pagerduty", "teams", "discord"] as const;
export type Kind = (typeof KINDS)[number];

/** The receiver that took the message. */
export type Via = "slack" | "resend" | "send_email" | "webhook" | "pagerduty" | "teams" | "discord";

export type SignatureVerdict = "valid" | "invalid" | "unknown_secret" | "missing";

export interface InboxMessage {
  readonly id: string;
  readonly kind: Kind;
  /** ISO 8601, in UTC. */
  readonly received_at: string;
  readonly accepted: boolean;
  /** The status of the answer; null when a configured `timeout` failure suppressed the answer. */
  readonly status: number | null;
  readonly via: Via;
  readonly path: string;
  /** Only headers that describe the message; never a credential. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or the raw text when it is not JSON. */
  readonly body: unknown;
  /** One line: the text, subject or title of the message, or the type of a webhook's event. */
  readonly summary: string;
  /** Webhooks only. */
  readonly signature?: SignatureVerdict;
  /** Webhooks only: the number of earlier calls to this webhook with the same `webhook-id`; 0 for the first. */
  readonly repeats?: number;
  readonly problems: readonly string[];
}

export interface MessageFilter {
  readonly kind?: Kind | undefined;
  readonly accepted?: boolean | undefined;
  /** Webhooks: the event's `tenant_id`. The others: an id that appears in the rendered text as a whole word. */
  readonly tenant?: string | undefined;
  /** The maximum number of messages, newest first. */
  readonly limit?: number | undefined;
}
