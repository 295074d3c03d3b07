// Deliveries: one alert on its way to one channel, and what a notice is rendered from. Types only.

import type { BasisPoints } from "../budget/money.ts";
import type { Enforcement, Instant } from "../budget/tenant.ts";
import type { AlertId, AlertRecord } from "./alert.ts";
import type { ChannelId, ChannelKind, ChannelRecord } from "./channel.ts";

export type DeliveryStatus = "pending" | "sent" | "skipped" | "failed";

/** One alert on its way to one channel. */
export interface DeliveryKey {
  readonly alertId: AlertId;
  readonly channelId: ChannelId;
}

export interface DeliveryRecord extends DeliveryKey {
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly nextAttemptAt: Instant | null;
  readonly lastError: string | null;
  readonly sentAt: Instant | null;
}

export interface RecordedAlerts {
  /** How many of them people are to be told of. */
  readonly announced: number;
  readonly deliveries: readonly DeliveryKey[];
}

/** Everything that a notice is made of. */
export interface Dispatch {
  readonly delivery: DeliveryRecord;
  readonly alert: AlertRecord;
  readonly channel: ChannelRecord;
  readonly tenantName: string | null;
  /** The present thresholds of the tenant, for the words of a notice. */
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  /** Of an observed tenant nothing is refused, and no notice may say so. */
  readonly enforcement: Enforcement;
}

/** An alert with how its notices fare. */
export interface AlertListRow {
  readonly alert: AlertRecord;
  readonly deliveries: readonly (DeliveryRecord & {
    readonly channelName: string;
    readonly channelKind: ChannelKind;
  })[];
}

export type SendOutcome =
  | { readonly kind: "sent" }
  /** This deployment has no provider for it. */
  | { readonly kind: "not_configured"; readonly why: string }
  /** Trying again would not help. */
  | { readonly kind: "rejected"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterSeconds: number | null };
