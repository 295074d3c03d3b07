// The audit log, and the audited changes that alerts announce. Types only.

import type { Instant, TenantId } from "../budget/tenant.ts";
import type { OverrideRecord } from "./override.ts";

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
