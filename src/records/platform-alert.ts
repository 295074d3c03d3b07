// Platform alerts: conditions of Bursar or LiteLLM that operators must act on. Types only.

import type { AlertDetail } from "../budget/alert.ts";
import type { PlatformAlertKind } from "../budget/delivery/severity.ts";
import type { Instant } from "../budget/instant.ts";
import type { TenantId } from "../budget/tenant.ts";
import type { AlertId } from "./alert.ts";
import type { Dispatch } from "./delivery.ts";

export interface PlatformAlertRecord {
  readonly id: AlertId;
  readonly kind: PlatformAlertKind;
  /** Facts about the condition; some come from outside and must be sanitized. */
  readonly detail: AlertDetail;
  /** When the condition was first seen; earlier than `createdAt` in a reminder. */
  readonly begunAt: Instant;
  readonly createdAt: Instant;
}

/** Everything that a notice about the platform is rendered from. */
export interface PlatformDispatch extends Pick<Dispatch, "delivery" | "channel"> {
  readonly platformAlert: PlatformAlertRecord;
}

/** Everything that a notice is rendered from. */
export type NoticeDispatch = Dispatch | PlatformDispatch;

/** A condition as just evaluated. */
export interface PlatformCondition {
  readonly kind: Exclude<PlatformAlertKind, "budgets_reset" | "channel_broken">;
  /** Null: the condition does not hold. */
  readonly detail: AlertDetail | null;
}

/** The conditions that Postgres can show; null for each that does not hold. */
export interface PlatformSigns {
  readonly deadLetters: { readonly count: number; readonly queue: string; readonly error: string | null } | null;
  readonly pendingSyncs: {
    readonly count: number;
    readonly since: Instant;
    /** The tenant that has waited longest, and the error of its sync. */
    readonly tenantId: TenantId;
    readonly error: string | null;
  } | null;
  /** Tenants whose key or team LiteLLM does not have; the one that has waited longest. */
  readonly missingSubjects: { readonly count: number; readonly since: Instant; readonly tenantId: TenantId } | null;
  /**
   * Tenants without a read for an hour while others are read; up to five ids, the one that has waited longest first.
   */
  readonly unreadTenants: {
    readonly count: number;
    readonly since: Instant;
    readonly tenantIds: readonly TenantId[];
  } | null;
  /** The last read of any tenant; `lastReadAt` is null when there has been none. */
  readonly silence: { readonly lastReadAt: Instant | null } | null;
}

/** The cut-off instants of the conditions. */
export interface PlatformBounds {
  readonly lettersSince: Instant;
  readonly pendingBefore: Instant;
  readonly readBefore: Instant;
  readonly unreadBefore: Instant;
}
