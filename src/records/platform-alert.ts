// Platform alerts: conditions of Bursar or LiteLLM that operators must act on. Types only.

import type { AlertDetail } from "../budget/alerts.ts";
import type { Instant, TenantId } from "../budget/tenant.ts";
import type { AlertId } from "./alert.ts";
import type { Dispatch } from "./delivery.ts";

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
