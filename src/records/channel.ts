// Channels as Postgres stores them: where the notices of a tenant, or of the platform, go. Types only.

import type { ChannelEvent, Severity } from "../budget/delivery/severity.ts";
import type { Instant } from "../budget/instant.ts";
import type { TenantId } from "../budget/tenant.ts";

export type ChannelId = string & { readonly brand: "ChannelId" };

export type ChannelKind = "slack" | "email" | "webhook" | "pagerduty" | "teams" | "discord";

export interface ChannelRecord {
  readonly id: ChannelId;
  /** Null: a channel of the platform. */
  readonly tenantId: TenantId | null;
  readonly kind: ChannelKind;
  readonly name: string;
  /** A `ChannelTarget` as JSON, encrypted. */
  readonly encryptedTarget: string;
  /** The part of the target that a list may show. */
  readonly targetHint: string;
  readonly enabled: boolean;
  /** The events that it gets; null: every one, except `budget_reset` for a channel of the platform. */
  readonly events: readonly ChannelEvent[] | null;
  readonly minSeverity: Severity;
  /** Why its provider refused a notice for good; null again once a notice is sent or the target changes. */
  readonly lastError: string | null;
  readonly lastErrorAt: Instant | null;
  readonly brokenSince: Instant | null;
  /** Counts the changes that administrators made. */
  readonly version: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

/** The address of a channel; encrypted at rest, never logged. */
export type ChannelTarget =
  /** A Slack incoming webhook. */
  | { readonly kind: "slack"; readonly url: string }
  | { readonly kind: "email"; readonly to: readonly string[] }
  /** `secret`: `whsec_…`, which signs the events. */
  | { readonly kind: "webhook"; readonly url: string; readonly secret: string }
  /** An integration key of PagerDuty's Events API v2. */
  | { readonly kind: "pagerduty"; readonly routingKey: string }
  /** A Power Automate workflow that posts to a chat or a channel. */
  | { readonly kind: "teams"; readonly url: string }
  | { readonly kind: "discord"; readonly url: string };

export type NewChannel = Omit<
  ChannelRecord,
  "id" | "lastError" | "lastErrorAt" | "brokenSince" | "version" | "createdAt" | "updatedAt"
>;

export type ChannelChange = Partial<Omit<NewChannel, "tenantId" | "kind">>;
