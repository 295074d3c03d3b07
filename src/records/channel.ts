// Channels as Postgres stores them: where the notices of a tenant, or of the platform, go. Types only.

import type { Instant, TenantId } from "../budget/tenant.ts";

export type ChannelId = string & { readonly brand: "ChannelId" };

export type ChannelKind = "slack" | "email" | "webhook";

export interface ChannelRecord {
  readonly id: ChannelId;
  /** Null: the whole platform's. */
  readonly tenantId: TenantId | null;
  readonly kind: ChannelKind;
  readonly name: string;
  /** A `ChannelTarget` as JSON, sealed. */
  readonly encryptedTarget: string;
  /** As much of the target as a list may show. */
  readonly targetHint: string;
  readonly enabled: boolean;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

/** Where a channel's notices go; sealed at rest, never logged. */
export type ChannelTarget =
  /** An incoming webhook of Slack. */
  | { readonly kind: "slack"; readonly url: string }
  | { readonly kind: "email"; readonly to: readonly string[] }
  /** `secret`: `whsec_…`, with which our events are signed. */
  | { readonly kind: "webhook"; readonly url: string; readonly secret: string };

export type NewChannel = Omit<ChannelRecord, "id" | "createdAt" | "updatedAt">;

export type ChannelChange = Partial<Pick<NewChannel, "name" | "encryptedTarget" | "targetHint" | "enabled">>;
