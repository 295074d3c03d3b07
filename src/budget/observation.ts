// What a figure is worth that is not LiteLLM's own answer: a lower bound of the spend, if it is of the running period.
// Owns which figures are ignored. Never raises a figure of one period by that of another.

import type { NanoUsd } from "./money.ts";
import { joinRecords, LOWER_READ_AFTER_MS, type ObservationSource, type SpendRecord } from "./spend.ts";
import { type Instant, periodStartedAt, type TenantConfig } from "./tenant.ts";

/** A figure that somebody has told. */
export interface ReportedObservation {
  readonly spendNanoUsd: NanoUsd;
  readonly source: Exclude<ObservationSource, "litellm">;
  /** When the call began that it is told after, or when it was told. */
  readonly begunAt: Instant;
  /** When it reached us. */
  readonly observedAt: Instant;
  /** The end of its period; `undefined` when it does not say. */
  readonly resetsAt: Instant | undefined;
}

/** LiteLLM's pods go on for a minute with what they had in memory before a reset. */
const AFTER_RESET_MS = 90_000;

/** LiteLLM writes the same end with and without fractions of a second. */
const SAME_END_MS = 1_000;

/**
 * The record with the bound folded in; the same object when it tells nothing new. Null when the bound is of another
 * period, or of calls so early in this one that they may have counted from the last.
 * `periodSeenAt`: when LiteLLM was first seen in the period, which it enters up to ten minutes late.
 */
export function foldReported(
  tenant: { readonly config: TenantConfig; readonly spend: SpendRecord | null; readonly periodSeenAt: Instant | null },
  observation: ReportedObservation,
): SpendRecord | null {
  const { config, spend } = tenant;
  const startedAt = Math.max(periodStartedAt(config), spend?.periodStartedAt ?? 0);
  const resetsAt = spend?.periodStartedAt === startedAt ? spend.resetsAt : config.budgetResetAt;
  const isFirstPeriod = config.litellmKeyLastReset === null && tenant.periodSeenAt === null;
  const seenAt = Math.max(startedAt, tenant.periodSeenAt ?? 0);
  if (!isFirstPeriod && observation.begunAt < seenAt + AFTER_RESET_MS) return null;
  if (observation.resetsAt !== undefined && !isSameEnd(observation.resetsAt, resetsAt)) return null;
  const reported: SpendRecord = {
    spendNanoUsd: observation.spendNanoUsd,
    observedAt: observation.observedAt,
    readAt: null,
    source: observation.source,
    periodStartedAt: startedAt,
    resetsAt,
    spendRateNanoUsdPerSecond: 0n,
  };
  if (spend === null || spend.periodStartedAt < startedAt) return reported;
  const joined = joinRecords(spend, reported);
  return joined.spendNanoUsd > spend.spendNanoUsd ? joined : spend;
}

/** LiteLLM's reset job runs every 605 s at the latest. */
const ENTERED_AFTER_MS = 605_000;

/** The same at the edge, where nobody knows when LiteLLM was seen in the period: as late as it ever enters one. */
export function foldReportedAtEdge(
  config: TenantConfig,
  spend: SpendRecord | null,
  observation: ReportedObservation,
): SpendRecord | null {
  const startedAt = Math.max(periodStartedAt(config), spend?.periodStartedAt ?? 0);
  const isFirstPeriod = startedAt === config.subjectCreatedAt;
  return foldReported(
    { config, spend, periodSeenAt: isFirstPeriod ? null : startedAt + ENTERED_AFTER_MS },
    observation,
  );
}

/** True until a read, begun late enough, has shown what the figure was worth. */
export function isUnconfirmed(record: SpendRecord): boolean {
  return record.source !== "litellm" && (record.readAt ?? 0) < confirmableAt(record);
}

/** From when on a read settles the record's figure. */
export function confirmableAt(record: SpendRecord): Instant {
  return record.observedAt + LOWER_READ_AFTER_MS;
}

function isSameEnd(reported: Instant, known: Instant | null): boolean {
  return known !== null && Math.abs(reported - known) < SAME_END_MS;
}
