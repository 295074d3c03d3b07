// Which alerts a figure calls for. Found by level, never by edge: what is exceeded and not yet recorded is recorded now,
// whatever the figure was before. Never reads a clock.

import { type AlertEventType, type AlertKey, alertIdentity, type ThresholdEventType } from "./alert-identity.ts";
import { limitAt, limitVersion } from "./limit.ts";
import { type BasisPoints, decimalFromNanoUsd, type NanoUsd, partOf, shareOf, WHOLE } from "./money.ts";
import type { SpendRecord } from "./spend.ts";
import type { Instant, TenantConfig } from "./tenant.ts";

/** What only some kinds of event have to say; JSON, so money is a decimal string and instants are ISO 8601. */
export type AlertDetail = Readonly<Record<string, string | number | null>>;

/** An alert that is to be recorded: the figures are those of its moment. */
export interface AlertDraft {
  readonly identity: string;
  readonly eventType: AlertEventType;
  /** Percent of the limit; null for events that no threshold causes. */
  readonly threshold: BasisPoints | null;
  readonly spendNanoUsd: NanoUsd;
  readonly maxBudgetNanoUsd: NanoUsd;
  readonly limitNanoUsd: NanoUsd;
  /** Of the limit, rounded down; null when the limit is zero. */
  readonly used: BasisPoints | null;
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
  readonly limitVersion: number;
  readonly occurrence: number;
  /** Recorded, and nobody told. */
  readonly isSilent: boolean;
  readonly detail: AlertDetail | null;
}

/** As much of a recorded alert as new ones depend on. */
export type RecordedAlert = Pick<
  AlertDraft,
  "identity" | "eventType" | "periodStartedAt" | "limitVersion" | "occurrence" | "spendNanoUsd" | "isSilent" | "detail"
> & { readonly createdAt: Instant };

/** For which limit version and period alerts were looked for. */
export interface AlertEvaluation {
  readonly limitVersion: number;
  readonly periodStartedAt: Instant;
}

/** What is known of a tenant's alerts, as far as new ones depend on it. */
export interface AlertHistory {
  /** The last look; null before the first. */
  readonly lastEvaluation: AlertEvaluation | null;
  /** Those of the running period, and the last one of any period that said blocked or resolved. */
  readonly alerts: readonly RecordedAlert[];
}

/** LiteLLM has alerted again: about a threshold that it knows, or about whichever its figure has reached. */
export interface RepeatedAlert {
  readonly about: "alert_threshold" | "block" | { readonly spendNanoUsd: NanoUsd };
  readonly receivedAt: Instant;
}

/** LiteLLM expects that the budget will not last the period. Both figures are its own, and nobody's decision. */
export interface Projection {
  readonly projectedSpendNanoUsd: NanoUsd | null;
  readonly exceededDate: string | null;
  readonly receivedAt: Instant;
}

export interface FindAlertsInput {
  readonly config: TenantConfig;
  readonly record: SpendRecord;
  readonly history: AlertHistory;
  /** What is exceeded now is how the tenant was found: nobody is told. */
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

/** From the lowest to the highest. A limit of zero is exceeded by everybody: it blocks, and has no percentages. */
export function thresholdsOf(config: TenantConfig, now: Instant): readonly Threshold[] {
  const blocked: Threshold = { eventType: "budget_blocked", threshold: config.graceThreshold };
  if (limitAt(config, now).limitNanoUsd === 0n) return [blocked];
  return [
    { eventType: "threshold_crossed", threshold: config.alertThreshold },
    { eventType: "budget_crossed", threshold: WHOLE },
    blocked,
  ];
}

/** The alerts to record, thresholds first from the lowest on. At most one threshold is told: the highest that is new. */
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
    if (last === null) return [draftOf(input, each, 0, input.isBaseline || isCarriedOver(input, each))];
    const isNext = isArmedAgain(input, each, last) || isRepeated(input, each);
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

/** Under the limit that was looked at last it was announced, and it is still exceeded under the present one. */
function isCarriedOver(input: FindAlertsInput, threshold: Threshold): boolean {
  const { lastEvaluation } = input.history;
  if (lastEvaluation === null || lastEvaluation.periodStartedAt !== input.record.periodStartedAt) return false;
  const last = lastOf(recordedOf(input, threshold.eventType, lastEvaluation.limitVersion));
  const isEarlier = lastEvaluation.limitVersion < limitVersion(input.config, input.now);
  return isEarlier && last !== null && !isArmedAgain(input, threshold, last);
}

/**
 * People were told that a block is over, at a figure below this threshold: what they hear next of it is news again. So is
 * a block that would have been one when it was recorded, and now is: nobody was refused under `observe`.
 */
function isArmedAgain(input: FindAlertsInput, { eventType, threshold }: Threshold, last: RecordedAlert): boolean {
  const wasObserved = eventType === "budget_blocked" && last.detail?.["enforcement"] === "observe";
  if (wasObserved && input.config.enforcement === "enforce") return true;
  const line = partOf(limitAt(input.config, input.now).limitNanoUsd, threshold);
  const resolved = recordedOf(input, "budget_resolved", last.limitVersion);
  return resolved.some(({ createdAt, spendNanoUsd }) => createdAt >= last.createdAt && spendNanoUsd < line);
}

/**
 * At most once per `repeatAfterMs`, counted from when people last heard of it in this period, under whatever limit, to the
 * arrival of the word that repeats it; from when it was recorded, if they never did.
 */
function isRepeated(
  { config, record, history, repeats, repeatAfterMs, now }: FindAlertsInput,
  { eventType }: Threshold,
): boolean {
  const recorded = history.alerts.filter(
    (alert) => alert.eventType === eventType && alert.periodStartedAt === record.periodStartedAt,
  );
  const told = recorded.filter(({ isSilent }) => !isSilent);
  const lastAt = Math.max(...(told.length > 0 ? told : recorded).map(({ createdAt }) => createdAt));
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

/** Was blocked by its spend and no longer is. While it is suspended that would be no news. */
function findResolved(input: FindAlertsInput): AlertDraft[] {
  const { config, record, history, now } = input;
  const { limitNanoUsd, blocksAtNanoUsd } = limitAt(config, now);
  const isBlocked = limitNanoUsd === 0n || record.spendNanoUsd >= blocksAtNanoUsd || config.suspendedAt !== null;
  const turns = history.alerts.filter(
    ({ eventType }) => eventType === "budget_blocked" || eventType === "budget_resolved",
  );
  const last = turns.reduce<(typeof turns)[number] | null>(
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

/** One a day, however often LiteLLM says it. */
function findProjected(input: FindAlertsInput): AlertDraft[] {
  const [projection] = input.projections;
  if (projection === undefined) return [];
  const { tenantId } = input.config;
  const { periodStartedAt } = input.record;
  const day = new Date(projection.receivedAt).toISOString().slice(0, 10);
  const { projectedSpendNanoUsd: spend, exceededDate } = projection;
  const detail = {
    projected_spend: spend === null ? null : decimalFromNanoUsd(spend),
    projected_exceeded_date: exceededDate,
  };
  return plainDraft(input, { tenantId, eventType: "projected_limit_exceeded", periodStartedAt, day }, detail);
}

/** An alert that no threshold causes, unless it is recorded already. */
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

interface Moment {
  readonly config: TenantConfig;
  readonly record: Pick<SpendRecord, "spendNanoUsd" | "periodStartedAt" | "resetsAt">;
  readonly now: Instant;
}

/** The figures of this moment, as an alert keeps them. */
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
