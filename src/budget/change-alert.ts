// The alert of something that was changed, by an administrator or by the clock. Decides only; reads no clock.

import { type AlertEventType, type AlertKey, alertIdentity, type ThresholdEventType } from "./alert-identity.ts";
import { type AlertDetail, type AlertDraft, numbersOf } from "./alerts.ts";
import type { SpendRecord } from "./spend.ts";
import { type Instant, periodStartedAt, type TenantConfig } from "./tenant.ts";

/** Events that no figure causes. */
export type ChangeEventType = Exclude<
  AlertEventType,
  ThresholdEventType | "budget_resolved" | "projected_limit_exceeded"
>;

export type ChangeAlertKey = AlertKey & { readonly eventType: ChangeEventType };

export interface ChangeAlertInput {
  readonly config: TenantConfig;
  /** Null when nothing is known of its spend. */
  readonly spend: SpendRecord | null;
  readonly now: Instant;
}

/** Told always. Its figures are those of the running period: one of a period that is over says nothing of it. */
export function changeAlert(
  { config, spend, now }: ChangeAlertInput,
  key: ChangeAlertKey,
  detail: AlertDetail | null,
): AlertDraft {
  const startedAt = periodStartedAt(config);
  const isRunning = spend !== null && spend.periodStartedAt >= startedAt;
  const record = isRunning ? spend : { spendNanoUsd: 0n, periodStartedAt: startedAt, resetsAt: config.budgetResetAt };
  return {
    ...numbersOf({ config, record, now }),
    identity: alertIdentity(key),
    eventType: key.eventType,
    threshold: null,
    occurrence: 0,
    isSilent: false,
    detail,
  };
}
