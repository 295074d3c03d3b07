// What an alert is: its kinds, its identity, and what it records of its moment. One function builds every identity, so
// that one occasion has one name whichever consumer finds it. Reads no clock.

import type { Instant } from "./instant.ts";
import { limitAt, limitVersion } from "./limit.ts";
import { type BasisPoints, type NanoUsd, percentNumber, shareOf } from "./money.ts";
import { isOfEndedPeriod, periodOf } from "./period.ts";
import type { SpendRecord } from "./spend.ts";
import type { TenantConfig, TenantId } from "./tenant.ts";

export const ALERT_EVENT_TYPES = [
  "threshold_crossed",
  "budget_crossed",
  "budget_blocked",
  "budget_resolved",
  /** Only in rows of earlier releases: LiteLLM's projection sends no notice any more. */
  "projected_limit_exceeded",
  "budget_reset",
  "override_granted",
  "override_ended",
  "tenant_suspended",
  "tenant_resumed",
] as const;

export type AlertEventType = (typeof ALERT_EVENT_TYPES)[number];

export type ThresholdEventType = Extract<AlertEventType, "threshold_crossed" | "budget_crossed" | "budget_blocked">;

/** The parts that identify an alert. Instants are milliseconds since the epoch. */
export type AlertKey =
  | ThresholdAlertKey
  /** `block` is the identity of the `budget_blocked` that has ended. */
  | { readonly eventType: "budget_resolved"; readonly block: string }
  | ChangeAlertKey;

interface ThresholdAlertKey {
  readonly tenantId: TenantId;
  readonly eventType: ThresholdEventType;
  readonly periodStartedAt: Instant;
  readonly limitVersion: number;
  readonly threshold: BasisPoints;
  readonly occurrence: number;
}

/** The parts that identify the alert of a change by an administrator or by the clock. */
export type ChangeAlertKey = { readonly tenantId: TenantId } & (
  | { readonly eventType: "budget_reset"; readonly periodStartedAt: Instant }
  | { readonly eventType: "override_granted" | "override_ended"; readonly overrideId: string }
  | { readonly eventType: "tenant_suspended" | "tenant_resumed"; readonly auditId: number }
);

/**
 * The alert's unique name, such as `budget_crossed/1795564800000/3/100/0/acme`. The same key always gives the same
 * name. The tenant id comes last because it is the only part that may hold the separator.
 */
export function alertIdentity(key: AlertKey): string {
  if (key.eventType === "budget_resolved") return [key.eventType, key.block].join("/");
  return [key.eventType, ...uniqueParts(key), key.tenantId].join("/");
}

function uniqueParts(key: ThresholdAlertKey | ChangeAlertKey): (string | number)[] {
  switch (key.eventType) {
    case "threshold_crossed":
    case "budget_crossed":
    case "budget_blocked":
      return [key.periodStartedAt, key.limitVersion, percentNumber(key.threshold), key.occurrence];
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

/** Fields that only some kinds of event have. JSON: money is a decimal string (`"412.5"`), instants are ISO 8601. */
export type AlertDetail = Readonly<Record<string, string | number | null>>;

/** An alert to record, with the spend and the limits of its moment. */
export interface AlertDraft {
  readonly identity: string;
  readonly eventType: AlertEventType;
  /** Share of the limit (`8_000n` is 80 %); null for events that no threshold causes. */
  readonly threshold: BasisPoints | null;
  readonly spendNanoUsd: NanoUsd;
  readonly maxBudgetNanoUsd: NanoUsd;
  readonly limitNanoUsd: NanoUsd;
  /** Share of the limit, rounded down (`8_250n` is 82.5 %); null when the limit is zero. */
  readonly used: BasisPoints | null;
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
  readonly limitVersion: number;
  /** Tells alerts of one threshold, limit version and period apart. */
  readonly occurrence: number;
  /** How often the alert repeats one that still stands; 0 for a new one. */
  readonly repetition: number;
  /** Recorded without a notice. */
  readonly isSilent: boolean;
  readonly detail: AlertDetail | null;
}

interface Moment {
  readonly config: TenantConfig;
  readonly record: Pick<SpendRecord, "spendNanoUsd" | "periodStartedAt" | "resetsAt">;
  readonly now: Instant;
}

/** The spend, limits and period of this moment, as an alert records them. */
export function numbersOf({ config, record, now }: Moment) {
  const { limitNanoUsd } = limitAt(config, now);
  return {
    spendNanoUsd: record.spendNanoUsd,
    maxBudgetNanoUsd: config.maxBudgetNanoUsd,
    limitNanoUsd,
    used: shareOf(record.spendNanoUsd, limitNanoUsd),
    periodStartedAt: record.periodStartedAt,
    resetsAt: record.resetsAt,
    limitVersion: limitVersion(config, now),
    detail: null,
  };
}

/**
 * The instant of a verdict on this config: never before an override in it was granted or revoked, perhaps by a clock
 * that is ahead of this one.
 */
export function instantOf({ overrides }: Pick<TenantConfig, "overrides">, now: Instant): Instant {
  return Math.max(now, ...overrides.map(({ createdAt, revokedAt }) => revokedAt ?? createdAt));
}

export interface ChangeAlertInput {
  readonly config: TenantConfig;
  /** Null when no spend is known. */
  readonly spend: SpendRecord | null;
  readonly now: Instant;
}

/**
 * The alert of a change, never silent. A spend record of an ended period says nothing of the current one: the alert
 * then shows a spend of 0.
 */
export function changeAlert(
  { config, spend, now }: ChangeAlertInput,
  key: ChangeAlertKey,
  detail: AlertDetail | null,
): AlertDraft {
  const { startedAt, resetsAt } = periodOf(config);
  const isCurrent = spend !== null && !isOfEndedPeriod(config, spend);
  const record = isCurrent ? spend : { spendNanoUsd: 0n, periodStartedAt: startedAt, resetsAt };
  return {
    ...numbersOf({ config, record, now }),
    identity: alertIdentity(key),
    eventType: key.eventType,
    threshold: null,
    occurrence: 0,
    repetition: 0,
    isSilent: false,
    detail,
  };
}
