// What a notice is made of, and what each kind of channel takes. Types only: the renderers beside it make the one of the other.

import type { Instant } from "../budget/instant.ts";
import type { TenantId } from "../budget/tenant.ts";
import type { Dispatch, PlatformDispatch } from "../records/alert-record.ts";

export type Notice = AlertNotice | PlatformNotice | TestNotice;

/** An alert with as much of its tenant as people want to read. */
export type AlertNotice = Pick<Dispatch, "alert" | "tenantName" | "alertThreshold" | "graceThreshold" | "enforcement">;

/** What people of the platform are told; it is about no tenant's budget. */
export type PlatformNotice = Pick<PlatformDispatch, "platformAlert">;

/** Asks a channel whether it works. It has no figures, so that nobody can take it for an alert. */
export interface TestNotice {
  readonly test: {
    /** Of this one request, as an alert's id would be. */
    readonly id: string;
    readonly channelName: string;
    /** Null: the channel is the whole platform's. */
    readonly tenantId: TenantId | null;
    readonly requestedAt: Instant;
  };
}

/** Slack's incoming webhook: `text` is what notifications and screen readers show. */
export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly Readonly<Record<string, unknown>>[];
}

export interface EmailMessage {
  readonly subject: string;
  readonly html: string;
  readonly text: string;
}
