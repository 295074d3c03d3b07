// Which alert is which: one function builds every identity, so that one occasion has one name whoever comes upon it.

import { type BasisPoints, percentNumber } from "./money.ts";
import type { Instant, TenantId } from "./tenant.ts";

export const ALERT_EVENT_TYPES = [
  "threshold_crossed",
  "budget_crossed",
  "budget_blocked",
  "budget_resolved",
  "projected_limit_exceeded",
  "budget_reset",
  "override_granted",
  "override_ended",
  "tenant_suspended",
  "tenant_resumed",
] as const;

export type AlertEventType = (typeof ALERT_EVENT_TYPES)[number];

export type ThresholdEventType = Extract<AlertEventType, "threshold_crossed" | "budget_crossed" | "budget_blocked">;

/** What makes an alert the one that it is. Instants in milliseconds. */
export type AlertKey = { readonly tenantId: TenantId } & (
  | {
      readonly eventType: ThresholdEventType;
      readonly periodStartedAt: Instant;
      readonly limitVersion: number;
      readonly threshold: BasisPoints;
      readonly occurrence: number;
    }
  /** `occurrence` is that of the block that is over. */
  | {
      readonly eventType: "budget_resolved";
      readonly periodStartedAt: Instant;
      readonly limitVersion: number;
      readonly occurrence: number;
    }
  /** `day`: `2026-11-25`, UTC. */
  | { readonly eventType: "projected_limit_exceeded"; readonly periodStartedAt: Instant; readonly day: string }
  | { readonly eventType: "budget_reset"; readonly periodStartedAt: Instant }
  | { readonly eventType: "override_granted" | "override_ended"; readonly overrideId: string }
  | { readonly eventType: "tenant_suspended" | "tenant_resumed"; readonly auditId: number }
);

/** The identity: unique for ever, the same whoever builds it. No part can hold the separator but the tenant id, the last. */
export function alertIdentity(key: AlertKey): string {
  return [key.eventType, ...uniqueParts(key), key.tenantId].join("/");
}

function uniqueParts(key: AlertKey): (string | number)[] {
  switch (key.eventType) {
    case "threshold_crossed":
    case "budget_crossed":
    case "budget_blocked":
      return [key.periodStartedAt, key.limitVersion, percentNumber(key.threshold), key.occurrence];
    case "budget_resolved":
      return [key.periodStartedAt, key.limitVersion, key.occurrence];
    case "projected_limit_exceeded":
      return [key.periodStartedAt, key.day];
    case "budget_reset":
      return [key.periodStartedAt];
    case "override_granted":
    case "override_ended":
      return [key.overrideId];
    case "tenant_suspended":
    case "tenant_resumed":
      return [key.auditId];
  }
}
