// Alerts, channels and deliveries as Postgres keeps them, and what is asked of them. Types only, shared by flows and ports.

import type { AlertDetail, AlertDraft, AlertEvaluation } from "../budget/alerts.ts";
import type { BasisPoints } from "../budget/money.ts";
import type { Enforcement, Instant, TenantId } from "../budget/tenant.ts";
import type { OverrideRecord } from "./override-record.ts";

export type AlertId = string & { readonly brand: "AlertId" };
export type ChannelId = string & { readonly brand: "ChannelId" };

/** An alert as it was recorded. */
export interface AlertRecord extends AlertDraft {
  readonly id: AlertId;
  readonly tenantId: TenantId;
  readonly createdAt: Instant;
}

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

/** What people of the platform are told of, for as long as it lasts. */
export type PlatformAlertKind = "dead_letter" | "sync_pending" | "litellm_silent" | "litellm_out";

export interface PlatformAlertRecord {
  readonly id: AlertId;
  readonly kind: PlatformAlertKind;
  /** What it is about; some of it came from outside. */
  readonly detail: AlertDetail;
  /** When the condition was first seen: earlier than `createdAt` when people are told again. */
  readonly begunAt: Instant;
  readonly createdAt: Instant;
}

/** Everything that a notice of the platform's is made of. */
export interface PlatformDispatch extends Pick<Dispatch, "delivery" | "channel"> {
  readonly platformAlert: PlatformAlertRecord;
}

/** A condition as it was just looked at. */
export interface PlatformCondition {
  readonly kind: PlatformAlertKind;
  /** Null: it does not hold. */
  readonly detail: AlertDetail | null;
}

/** What Postgres shows of the platform's troubles. Each is null when there is none. */
export interface PlatformSigns {
  readonly deadLetters: { readonly count: number; readonly queue: string; readonly error: string | null } | null;
  readonly pendingSyncs: {
    readonly count: number;
    readonly since: Instant;
    /** The tenant that has waited longest, and why it waits. */
    readonly tenantId: TenantId;
    readonly error: string | null;
  } | null;
  /** The last read of any tenant; null in it when there never was one. */
  readonly silence: { readonly lastReadAt: Instant | null } | null;
}

/** From when on each of them counts. */
export interface PlatformBounds {
  readonly lettersSince: Instant;
  readonly pendingBefore: Instant;
  readonly readBefore: Instant;
}

/** Alerts to be recorded in one step. */
export interface AlertEntry {
  readonly tenantId: TenantId;
  /** As it was read with the standing: whoever has looked meanwhile wins. */
  readonly lastEvaluation: AlertEvaluation | null;
  /** Null for alerts of a change, which depend on no look. */
  readonly evaluation: AlertEvaluation | null;
  readonly drafts: readonly AlertDraft[];
  readonly now: Instant;
}

/** A change that the audit knows of and no alert tells of. */
export type UnannouncedChange =
  | { readonly eventType: "override_granted" | "override_ended"; readonly override: OverrideRecord }
  | {
      readonly eventType: "tenant_suspended" | "tenant_resumed";
      readonly tenantId: TenantId;
      readonly auditId: number;
    };

export interface LateChange {
  readonly change: UnannouncedChange;
  /** True when it holds no more: what it says has been undone since, of which people hear or have heard. */
  readonly isUndone: boolean;
}

/** What people are told of that no figure causes, once each. */
export type AnnouncedChange =
  | UnannouncedChange
  | { readonly eventType: "budget_reset"; readonly tenantId: TenantId; readonly periodStartedAt: Instant };

/** An alert with how its notices fare. */
export interface AlertListRow {
  readonly alert: AlertRecord;
  readonly deliveries: readonly (DeliveryRecord & {
    readonly channelName: string;
    readonly channelKind: ChannelKind;
  })[];
}

/** Lists go from the newest on; `before` is what the page before ended with. */
export interface PageQuery {
  readonly before: string | null;
  readonly limit: number;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** The cursor of the next page; null at the end. */
  readonly next: string | null;
}

/** All that the audit tells of. */
export type AuditAction =
  | "tenant_created"
  | "tenant_changed"
  | "tenant_deleted"
  | "tenant_suspended"
  | "tenant_resumed"
  | "period_advanced"
  | "override_granted"
  | "override_revoked"
  | "override_ended"
  | "period_reset"
  | "channel_created"
  | "channel_changed"
  | "channel_deleted"
  | "alert_recorded"
  | "platform_alert_recorded"
  | "webhook_received"
  | "webhook_unmatched"
  | "spend_tracked"
  | "dead_letter_replayed";

/** A line as it is read: a later release may have written it, so its action is any text. */
export interface AuditRecord {
  readonly id: number;
  readonly at: Instant;
  readonly actor: string;
  readonly action: string;
  readonly tenantId: TenantId | null;
  readonly requestId: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly detail: unknown;
}

/** What happened outside the admin API: a webhook that came, say. Told twice it is one line. */
export interface AuditNote {
  readonly action: AuditAction;
  readonly tenantId: TenantId | null;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Names what the line tells of, for ever. */
  readonly sourceId: string;
  readonly at: Instant;
}

export interface DeadLetterRecord {
  readonly id: string;
  readonly queue: string;
  readonly messageId: string;
  readonly body: unknown;
  readonly attempts: number;
  readonly error: string | null;
  readonly recordedAt: Instant;
  readonly replayedAt: Instant | null;
  readonly replayedBy: string | null;
}

export interface RecordedAlerts {
  /** How many of them people are to be told of. */
  readonly announced: number;
  readonly deliveries: readonly DeliveryKey[];
}

export interface DeadLetter {
  readonly queue: string;
  readonly messageId: string;
  readonly body: unknown;
  readonly attempts: number;
  readonly error: string;
  readonly recordedAt: Instant;
}

export type SendOutcome =
  | { readonly kind: "sent" }
  /** This deployment has no provider for it. */
  | { readonly kind: "not_configured"; readonly why: string }
  /** Trying again would not help. */
  | { readonly kind: "rejected"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterSeconds: number | null };
