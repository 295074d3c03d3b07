// The input of the renderers, and the message of each kind of channel. Types only.

import type { Instant } from "../budget/instant.ts";
import type { TenantId } from "../budget/tenant.ts";
import type { Dispatch } from "../records/delivery.ts";
import type { PlatformDispatch } from "../records/platform-alert.ts";

export type Notice = AlertNotice | PlatformNotice | TestNotice;

/** An alert with the settings of its tenant that a notice shows. */
export type AlertNotice = Pick<
  Dispatch,
  "alert" | "tenantName" | "tenantMetadata" | "alertThreshold" | "graceThreshold" | "enforcement"
>;

/** A notice to operators about the platform; it belongs to no tenant. */
export type PlatformNotice = Pick<PlatformDispatch, "platformAlert">;

/** Tests a channel. It shows no spend and no limit, so that it cannot be mistaken for an alert. */
export interface TestNotice {
  readonly test: {
    /** Identifies the test, as an alert's id identifies an alert. */
    readonly id: string;
    readonly channelName: string;
    /** Null: the channel belongs to the platform. */
    readonly tenantId: TenantId | null;
    readonly requestedAt: Instant;
  };
}

/** A message to a Slack incoming webhook. Notifications and screen readers show `text`. */
export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly Readonly<Record<string, unknown>>[];
}

export interface EmailMessage {
  readonly subject: string;
  readonly html: string;
  readonly text: string;
}
