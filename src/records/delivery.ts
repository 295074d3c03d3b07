// Deliveries: one alert on its way to one channel, and what a notice is rendered from. Types only.

import type { Instant } from "../budget/instant.ts";
import type { BasisPoints } from "../budget/money.ts";
import type { Enforcement } from "../budget/tenant.ts";
import type { AlertId, AlertRecord } from "./alert.ts";
import type { ChannelId, ChannelKind, ChannelRecord } from "./channel.ts";

export type DeliveryStatus = "pending" | "sent" | "skipped" | "superseded" | "failed";

/** One alert on its way to one channel. */
export interface DeliveryKey {
  readonly alertId: AlertId;
  readonly channelId: ChannelId;
}

export interface DeliveryRecord extends DeliveryKey {
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly nextAttemptAt: Instant | null;
  /** The turn that the channel's pace gave to the next attempt; null: none yet. */
  readonly turnAt: Instant | null;
  readonly lastError: string | null;
  readonly sentAt: Instant | null;
}

export interface RecordedAlerts {
  /** How many of them are announced rather than silent. */
  readonly announced: number;
  readonly deliveries: readonly DeliveryKey[];
}

/** Everything that a notice about a tenant is rendered from. */
export interface Dispatch {
  readonly delivery: DeliveryRecord;
  readonly alert: AlertRecord;
  readonly channel: ChannelRecord;
  readonly tenantName: string | null;
  /** The caller's own pairs, for the events of webhooks. */
  readonly tenantMetadata: Readonly<Record<string, string>>;
  /** The tenant's current thresholds, for the text of a notice. */
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  /** No call of an observed tenant is refused, so its notices must not claim that. */
  readonly enforcement: Enforcement;
}

/** An alert with its deliveries. */
export interface AlertListRow {
  readonly alert: AlertRecord;
  readonly deliveries: readonly (DeliveryRecord & {
    readonly channelName: string;
    readonly channelKind: ChannelKind;
  })[];
}

export type SendOutcome =
  | { readonly kind: "sent" }
  /** This deployment has no provider for the channel. */
  | { readonly kind: "not_configured"; readonly why: string }
  /** A retry would not help. */
  | { readonly kind: "rejected"; readonly why: string }
  /** The provider takes no more at this pace. The notice waits; nothing is wrong with it. */
  | { readonly kind: "rate_limited"; readonly why: string; readonly retryAfterSeconds: number | null }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterSeconds: number | null }
  /** No answer: the notice may have arrived. */
  | { readonly kind: "unanswered"; readonly why: string };
