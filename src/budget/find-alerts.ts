// Finds the alerts to record for a tenant's spend. Level-triggered: a threshold that is exceeded and not yet recorded
// is recorded now, whatever the spend was before, so a crash or a reordering loses no alert. Reads no clock.

import { type AlertDraft, type AlertEventType, alertIdentity, numbersOf, type ThresholdEventType } from "./alert.ts";
import type { Instant } from "./instant.ts";
import { limitAt, limitVersion } from "./limit.ts";
import { type BasisPoints, type NanoUsd, partOf, WHOLE } from "./money.ts";
import { repeatPauseMs } from "./schedules/repeat.ts";
import type { SpendRecord } from "./spend.ts";
import type { TenantConfig } from "./tenant.ts";
import { stateAt } from "./verdict.ts";

/** The fields of a recorded alert that new alerts depend on. */
export type RecordedAlert = Pick<
  AlertDraft,
  | "identity"
  | "eventType"
  | "periodStartedAt"
  | "limitVersion"
  | "occurrence"
  | "repetition"
  | "spendNanoUsd"
  | "isSilent"
  | "detail"
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

export interface FindAlertsInput {
  readonly config: TenantConfig;
  readonly record: SpendRecord;
  readonly history: AlertHistory;
  /** The tenant's thresholds were exceeded before Bursar adopted it: they are recorded without a notice. */
  readonly isBaseline: boolean;
  readonly repeats: readonly RepeatedAlert[];
  /** How long after an alert the first repetition of it is announced. */
  readonly repeatAfterMs: number;
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
  return [...announcedOnce, ...findResolved(input)];
}

function findCrossed(input: FindAlertsInput): AlertDraft[] {
  const { config, record, now } = input;
  const { limitNanoUsd } = limitAt(config, now);
  return thresholdsOf(config, now).flatMap((each) => {
    if (record.spendNanoUsd < partOf(limitNanoUsd, each.threshold)) return [];
    const last = lastOf(recordedOf(input, each.eventType, limitVersion(config, now)));
    if (last === null) {
      const isSilent = input.isBaseline || isSuppressed(input, each);
      return [draftOf(input, each, { occurrence: 0, repetition: 0, isSilent })];
    }
    const repetition = isRearmed(input, each, last) ? 0 : dueRepetition(input, each, last);
    const occurrence = last.occurrence + 1;
    return repetition === null ? [] : [draftOf(input, each, { occurrence, repetition, isSilent: false })];
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

/**
 * True when the threshold was announced under an earlier limit and the spend has exceeded it since. For a block the
 * alerts show that, because its end is one; for another threshold it was the last evaluation that found it exceeded.
 */
function isSuppressed(input: FindAlertsInput, threshold: Threshold): boolean {
  const { record, history } = input;
  const { eventType } = threshold;
  const ofPeriod = history.alerts.filter(
    (alert) => alert.eventType === eventType && alert.periodStartedAt === record.periodStartedAt,
  );
  const isKnown = ({ limitVersion: version }: RecordedAlert) =>
    eventType === "budget_blocked" || version === history.lastEvaluation?.limitVersion;
  const last = newestOf(ofPeriod.filter(isKnown));
  return last !== null && !isRearmed(input, threshold, last);
}

/**
 * True when the threshold may alert again. A block may once a `budget_resolved` has ended it; another threshold if that
 * recorded a spend below it. A block that was recorded under `observe` also alerts again under `enforce`, because only
 * now are calls refused.
 */
function isRearmed(input: FindAlertsInput, { eventType, threshold }: Threshold, last: RecordedAlert): boolean {
  const wasObserved = eventType === "budget_blocked" && last.detail?.["enforcement"] === "observe";
  if (wasObserved && input.config.enforcement === "enforce") return true;
  const thresholdNanoUsd = partOf(limitAt(input.config, input.now).limitNanoUsd, threshold);
  return input.history.alerts.some(
    (alert) =>
      alert.eventType === "budget_resolved" &&
      alert.createdAt >= last.createdAt &&
      (eventType === "budget_blocked" || alert.spendNanoUsd < thresholdNanoUsd),
  );
}

/**
 * The number of the repetition to announce: LiteLLM repeated the threshold late enough after its last notice in this
 * period, under any limit. Without a notice, the time counts from `recorded`. Null when none is due.
 */
function dueRepetition(
  { config, record, history, repeats, repeatAfterMs, now }: FindAlertsInput,
  { eventType }: Threshold,
  recorded: RecordedAlert,
): number | null {
  const notices = history.alerts.filter(
    (alert) => alert.eventType === eventType && alert.periodStartedAt === record.periodStartedAt && !alert.isSilent,
  );
  const last = newestOf(notices) ?? recorded;
  const repetition = last.repetition + 1;
  const dueAt = last.createdAt + repeatPauseMs(repetition, repeatAfterMs);
  const isDue = repeats.some((repeat) => repeat.receivedAt >= dueAt && eventTypeOf(repeat, config, now) === eventType);
  return isDue ? repetition : null;
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

/**
 * The tenant was blocked by its spend and no longer is. It is not over while the tenant is blocked for another reason.
 * The last block counts, whatever its period and limit: each block is ended once, and each has an end of its own.
 */
function findResolved(input: FindAlertsInput): AlertDraft[] {
  const { config, record, history, now } = input;
  const last = newestOf(
    history.alerts.filter(({ eventType }) => eventType === "budget_blocked" || eventType === "budget_resolved"),
  );
  if (last?.eventType !== "budget_blocked") return [];
  if (stateAt(config, record.spendNanoUsd, now).state === "blocked") return [];
  const identity = alertIdentity({ eventType: "budget_resolved", block: last.identity });
  const { occurrence } = last;
  const eventType = "budget_resolved";
  return [{ ...numbersOf(input), identity, eventType, threshold: null, occurrence, repetition: 0, isSilent: false }];
}

function newestOf(alerts: readonly RecordedAlert[]): RecordedAlert | null {
  return alerts.reduce<RecordedAlert | null>(
    (newest, alert) => (newest === null || alert.createdAt >= newest.createdAt ? alert : newest),
    null,
  );
}

function draftOf(
  input: FindAlertsInput,
  { eventType, threshold }: Threshold,
  turn: Pick<AlertDraft, "occurrence" | "repetition" | "isSilent">,
): AlertDraft {
  const numbers = numbersOf(input);
  const { periodStartedAt, limitVersion: version } = numbers;
  const { tenantId } = input.config;
  const { occurrence } = turn;
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
  return { ...numbers, ...turn, identity, eventType, threshold, detail };
}
