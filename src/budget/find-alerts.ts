// Finds the alerts to record for a tenant's spend. Level-triggered: a threshold that is exceeded and not yet recorded
// is recorded now, whatever the spend was before, so a crash or a reordering loses no alert. Reads no clock.

import {
  type AlertDetail,
  type AlertDraft,
  type AlertEventType,
  type AlertKey,
  alertIdentity,
  numbersOf,
  type ThresholdEventType,
} from "./alert.ts";
import { type Instant, iso } from "./instant.ts";
import { limitAt, limitVersion } from "./limit.ts";
import { type BasisPoints, decimalFromNanoUsd, type NanoUsd, partOf, WHOLE } from "./money.ts";
import type { SpendRecord } from "./spend.ts";
import type { TenantConfig } from "./tenant.ts";

/** The fields of a recorded alert that new alerts depend on. */
export type RecordedAlert = Pick<
  AlertDraft,
  "identity" | "eventType" | "periodStartedAt" | "limitVersion" | "occurrence" | "spendNanoUsd" | "isSilent" | "detail"
> & { readonly createdAt: Instant };

/** The limit version and the period that an evaluation used. */
export interface AlertEvaluation {
  readonly limitVersion: number;
  readonly periodStartedAt: Instant;
}

/** The last evaluation and the recorded alerts of a tenant; its new alerts depend on them. */
export interface AlertHistory {
  /** Null before the first evaluation. */
  readonly lastEvaluation: AlertEvaluation | null;
  /** The alerts of the current period, and the last `budget_blocked` or `budget_resolved` of any period. */
  readonly alerts: readonly RecordedAlert[];
}

/**
 * LiteLLM repeated its own alert: for a threshold that it knows, or for the highest threshold that its spend has
 * reached.
 */
export interface RepeatedAlert {
  readonly about: "alert_threshold" | "block" | { readonly spendNanoUsd: NanoUsd };
  readonly receivedAt: Instant;
}

/**
 * LiteLLM expects the spend to exceed the budget within the period. Amount and date are LiteLLM's; Bursar acts on
 * neither.
 */
export interface Projection {
  readonly projectedSpendNanoUsd: NanoUsd | null;
  readonly exceededDate: string | null;
  readonly receivedAt: Instant;
}

export interface FindAlertsInput {
  readonly config: TenantConfig;
  readonly record: SpendRecord;
  readonly history: AlertHistory;
  /** The tenant's thresholds were exceeded before Bursar adopted it: they are recorded without a notice. */
  readonly isBaseline: boolean;
  readonly repeats: readonly RepeatedAlert[];
  readonly repeatAfterMs: number;
  readonly projections: readonly Projection[];
  readonly now: Instant;
}

interface Threshold {
  readonly eventType: ThresholdEventType;
  readonly threshold: BasisPoints;
}

/**
 * The thresholds from the lowest to the highest. Every spend exceeds a limit of zero: it only blocks, and has no
 * percentages.
 */
export function thresholdsOf(config: TenantConfig, now: Instant): readonly Threshold[] {
  const blocked: Threshold = { eventType: "budget_blocked", threshold: config.graceThreshold };
  if (limitAt(config, now).limitNanoUsd === 0n) return [blocked];
  return [
    { eventType: "threshold_crossed", threshold: config.alertThreshold },
    { eventType: "budget_crossed", threshold: WHOLE },
    blocked,
  ];
}

/**
 * The alerts to record, thresholds first, from the lowest to the highest. Only the highest new threshold sends a
 * notice.
 */
export function findAlerts(input: FindAlertsInput): AlertDraft[] {
  const crossed = findCrossed(input);
  const highest = crossed.findLast((draft) => !draft.isSilent);
  const announcedOnce = crossed.map((draft) => ({ ...draft, isSilent: draft !== highest }));
  return [...announcedOnce, ...findResolved(input), ...findProjected(input)];
}

function findCrossed(input: FindAlertsInput): AlertDraft[] {
  const { config, record, now } = input;
  const { limitNanoUsd } = limitAt(config, now);
  return thresholdsOf(config, now).flatMap((each) => {
    if (record.spendNanoUsd < partOf(limitNanoUsd, each.threshold)) return [];
    const last = lastOf(recordedOf(input, each.eventType, limitVersion(config, now)));
    if (last === null) return [draftOf(input, each, 0, input.isBaseline || isSuppressed(input, each))];
    const isNext = isRearmed(input, each, last) || isRepeated(input, each);
    return isNext ? [draftOf(input, each, last.occurrence + 1, false)] : [];
  });
}

function recordedOf({ record, history }: FindAlertsInput, eventType: AlertEventType, version: number) {
  return history.alerts.filter(
    (alert) =>
      alert.eventType === eventType &&
      alert.periodStartedAt === record.periodStartedAt &&
      alert.limitVersion === version,
  );
}

function lastOf(alerts: readonly RecordedAlert[]): RecordedAlert | null {
  return alerts.reduce<RecordedAlert | null>(
    (last, alert) => (last === null || alert.occurrence > last.occurrence ? alert : last),
    null,
  );
}

/** True when the last evaluation announced the threshold under an earlier limit, and the spend still exceeds it. */
function isSuppressed(input: FindAlertsInput, threshold: Threshold): boolean {
  const { lastEvaluation } = input.history;
  if (lastEvaluation === null || lastEvaluation.periodStartedAt !== input.record.periodStartedAt) return false;
  const last = lastOf(recordedOf(input, threshold.eventType, lastEvaluation.limitVersion));
  const isEarlier = lastEvaluation.limitVersion < limitVersion(input.config, input.now);
  return isEarlier && last !== null && !isRearmed(input, threshold, last);
}

/**
 * True when the threshold may alert again: since its last alert a `budget_resolved` recorded a spend below it. A block
 * that was recorded under `observe` also alerts again under `enforce`, because only now are calls refused.
 */
function isRearmed(input: FindAlertsInput, { eventType, threshold }: Threshold, last: RecordedAlert): boolean {
  const wasObserved = eventType === "budget_blocked" && last.detail?.["enforcement"] === "observe";
  if (wasObserved && input.config.enforcement === "enforce") return true;
  const thresholdNanoUsd = partOf(limitAt(input.config, input.now).limitNanoUsd, threshold);
  const resolved = recordedOf(input, "budget_resolved", last.limitVersion);
  return resolved.some(({ createdAt, spendNanoUsd }) => createdAt >= last.createdAt && spendNanoUsd < thresholdNanoUsd);
}

/**
 * True when LiteLLM repeated the threshold at least `repeatAfterMs` after its last notice in this period, under any
 * limit. Without a notice, the time counts from its last silent record.
 */
function isRepeated(
  { config, record, history, repeats, repeatAfterMs, now }: FindAlertsInput,
  { eventType }: Threshold,
): boolean {
  const recorded = history.alerts.filter(
    (alert) => alert.eventType === eventType && alert.periodStartedAt === record.periodStartedAt,
  );
  const announced = recorded.filter(({ isSilent }) => !isSilent);
  const lastAt = Math.max(...(announced.length > 0 ? announced : recorded).map(({ createdAt }) => createdAt));
  return repeats.some(
    (repeat) => repeat.receivedAt - lastAt >= repeatAfterMs && eventTypeOf(repeat, config, now) === eventType,
  );
}

function eventTypeOf({ about }: RepeatedAlert, config: TenantConfig, now: Instant): ThresholdEventType | null {
  if (about === "alert_threshold") return "threshold_crossed";
  if (about === "block") return "budget_blocked";
  const { limitNanoUsd } = limitAt(config, now);
  const reached = thresholdsOf(config, now).findLast(
    ({ threshold }) => about.spendNanoUsd >= partOf(limitNanoUsd, threshold),
  );
  return reached?.eventType ?? null;
}

/** The tenant was blocked by its spend and no longer is. A suspended tenant stays blocked, so nothing is resolved. */
function findResolved(input: FindAlertsInput): AlertDraft[] {
  const { config, record, history, now } = input;
  const { limitNanoUsd, blocksAtNanoUsd } = limitAt(config, now);
  const isBlocked = limitNanoUsd === 0n || record.spendNanoUsd >= blocksAtNanoUsd || config.suspendedAt !== null;
  const blocksAndResolutions = history.alerts.filter(
    ({ eventType }) => eventType === "budget_blocked" || eventType === "budget_resolved",
  );
  const last = blocksAndResolutions.reduce<RecordedAlert | null>(
    (latest, alert) => (latest === null || alert.createdAt >= latest.createdAt ? alert : latest),
    null,
  );
  if (isBlocked || last?.eventType !== "budget_blocked") return [];
  const { tenantId } = config;
  const { periodStartedAt } = record;
  const { occurrence } = last;
  const version = limitVersion(config, now);
  const key = { tenantId, eventType: "budget_resolved", periodStartedAt, limitVersion: version, occurrence } as const;
  return plainDraft(input, key, null);
}

/** At most one projection alert per day, however often LiteLLM sends it. */
function findProjected(input: FindAlertsInput): AlertDraft[] {
  const [projection] = input.projections;
  if (projection === undefined) return [];
  const { tenantId } = input.config;
  const { periodStartedAt } = input.record;
  const day = iso(projection.receivedAt).slice(0, 10);
  const { projectedSpendNanoUsd: spend, exceededDate } = projection;
  const detail = {
    projected_spend: spend === null ? null : decimalFromNanoUsd(spend),
    projected_exceeded_date: exceededDate,
  };
  return plainDraft(input, { tenantId, eventType: "projected_limit_exceeded", periodStartedAt, day }, detail);
}

/** An alert that no threshold causes; none when it is already recorded. */
function plainDraft(input: FindAlertsInput, key: AlertKey, detail: AlertDetail | null): AlertDraft[] {
  const identity = alertIdentity(key);
  if (input.history.alerts.some((alert) => alert.identity === identity)) return [];
  const { eventType } = key;
  const occurrence = "occurrence" in key ? key.occurrence : 0;
  return [{ ...numbersOf(input), identity, eventType, threshold: null, occurrence, isSilent: false, detail }];
}

function draftOf(input: FindAlertsInput, { eventType, threshold }: Threshold, occurrence: number, isSilent: boolean) {
  const numbers = numbersOf(input);
  const { periodStartedAt, limitVersion: version } = numbers;
  const { tenantId } = input.config;
  const identity = alertIdentity({
    tenantId,
    eventType,
    periodStartedAt,
    limitVersion: version,
    threshold,
    occurrence,
  });
  const isObserved = eventType === "budget_blocked" && input.config.enforcement === "observe";
  const detail = isObserved ? { enforcement: "observe" } : null;
  return { ...numbers, identity, eventType, threshold, occurrence, isSilent, detail };
}
