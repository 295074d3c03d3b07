// The audit log, and the changes that alerts announce. Types only.

import type { Instant } from "../budget/instant.ts";
import type { TenantId } from "../budget/tenant.ts";
import type { OverrideRecord } from "./override.ts";

/** Every action in the audit log. */
export type AuditAction =
  | "tenant_created"
  | "tenant_changed"
  | "tenant_deleted"
  | "tenant_restored"
  | "tenant_suspended"
  | "tenant_resumed"
  /** What a read of LiteLLM newly showed of the tenant's key or team. */
  | "subject_missing"
  | "subject_blocked"
  | "subject_usable"
  | "key_created"
  | "key_replaced"
  | "key_removed"
  | "mark_copied"
  | "period_advanced"
  | "period_reset"
  | "override_granted"
  | "override_revoked"
  | "override_ended"
  | "channel_created"
  | "channel_changed"
  | "channel_deleted"
  /** The provider of a channel refuses its notices for good. */
  | "channel_broken"
  | "alert_recorded"
  | "platform_alert_recorded"
  | "webhook_received"
  | "webhook_unmatched"
  | "spend_tracked"
  /** A read lowered the spend within a period. */
  | "spend_fell"
  | "dead_letter_replayed";

/** An audit line as stored. A later release may have written it, so `action` is any text. */
export interface AuditRecord {
  readonly id: number;
  readonly at: Instant;
  readonly actor: string;
  readonly action: string;
  readonly tenantId: TenantId | null;
  readonly requestId: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** An event outside the admin API, such as a received webhook. Recorded once per `sourceId`. */
export interface AuditNote {
  readonly action: AuditAction;
  readonly tenantId: TenantId | null;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Identifies the event permanently. */
  readonly sourceId: string;
  readonly at: Instant;
  /**
   * The webhooks that the line stands for, of those that it counts already and of new ones. Each is added once. Absent
   * for a line of one event.
   */
  readonly webhooks?: readonly FoldedWebhook[];
}

/** Decimal strings of US dollars. The line has the sum of the costs, and the highest spend. */
export interface FoldedWebhook {
  readonly id: string;
  readonly cost: string | null;
  readonly spend: string | null;
}

/** A change that is announced once and does not come from spend. */
export type AnnouncedChange =
  | { readonly eventType: "override_granted" | "override_ended"; readonly override: OverrideRecord }
  | {
      readonly eventType: "tenant_suspended" | "tenant_resumed";
      readonly tenantId: TenantId;
      readonly auditId: number;
    }
  | BudgetReset;

/** A period that has begun. */
export interface BudgetReset {
  readonly eventType: "budget_reset";
  readonly tenantId: TenantId;
  readonly periodStartedAt: Instant;
}

/** A change without an alert. */
export interface LateChange {
  readonly change: AnnouncedChange;
  /** True when a later change has reverted it; the later change is announced instead. */
  readonly isReverted: boolean;
}
