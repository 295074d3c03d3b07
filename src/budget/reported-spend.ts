// Spend reported by anything but LiteLLM's API is a lower bound, and only if it belongs to the current period
// (period.ts says which one that is). Never raises the spend of one period by a report of another.

import type { Instant } from "./instant.ts";
import type { NanoUsd } from "./money.ts";
import { isReportOf, latestPeriod } from "./period.ts";
import { joinRecords, LOWER_READ_AFTER_MS, type ObservationSource, type SpendRecord } from "./spend.ts";
import type { TenantConfig } from "./tenant.ts";

/** Spend that LiteLLM sent on its own, or that Gate saw in an answer. */
export interface ReportedObservation {
  readonly spendNanoUsd: NanoUsd;
  readonly source: Exclude<ObservationSource, "litellm">;
  /** When the call began, or when LiteLLM sent the report. */
  readonly begunAt: Instant;
  /** When Bursar received it. */
  readonly observedAt: Instant;
  /** The end of its period; `undefined` when the report does not say. */
  readonly resetsAt: Instant | undefined;
}

/**
 * The record with the reported spend merged in; the same object when the report adds nothing. Null when the report
 * belongs to another period, or to calls so early in this one that LiteLLM may have added them to the old spend.
 * `periodSeenAt`: when LiteLLM was first seen in the period, which it enters up to ten minutes late.
 */
export function foldReported(
  tenant: { readonly config: TenantConfig; readonly spend: SpendRecord | null; readonly periodSeenAt: Instant | null },
  observation: ReportedObservation,
): SpendRecord | null {
  const { config, spend } = tenant;
  const period = latestPeriod(config, spend);
  const isFirstPeriod = config.litellmKeyLastReset === null && tenant.periodSeenAt === null;
  const enteredAt = isFirstPeriod ? null : Math.max(period.startedAt, tenant.periodSeenAt ?? 0);
  if (!isReportOf(period, observation, enteredAt)) return null;
  const reported: SpendRecord = {
    spendNanoUsd: observation.spendNanoUsd,
    observedAt: observation.observedAt,
    readAt: null,
    source: observation.source,
    periodStartedAt: period.startedAt,
    resetsAt: period.resetsAt,
    spendRateNanoUsdPerSecond: 0n,
  };
  if (spend === null || spend.periodStartedAt < period.startedAt) return reported;
  const joined = joinRecords(spend, reported);
  return joined.spendNanoUsd > spend.spendNanoUsd ? joined : spend;
}

/** LiteLLM's reset job starts at most 605 s after its last run. */
const ENTERED_AFTER_MS = 605_000;

/** The same at the edge, which does not know when LiteLLM entered the period. Assumes the latest possible moment. */
export function foldReportedAtEdge(
  config: TenantConfig,
  spend: SpendRecord | null,
  observation: ReportedObservation,
): SpendRecord | null {
  const { startedAt } = latestPeriod(config, spend);
  const isFirstPeriod = startedAt === config.subjectCreatedAt;
  return foldReported(
    { config, spend, periodSeenAt: isFirstPeriod ? null : startedAt + ENTERED_AFTER_MS },
    observation,
  );
}

/** True until a read that began late enough has confirmed or corrected the reported spend. */
export function isUnconfirmed(record: SpendRecord): boolean {
  return record.source !== "litellm" && (record.readAt ?? 0) < confirmableAt(record);
}

/** The instant from which a read settles the record's spend. */
export function confirmableAt(record: SpendRecord): Instant {
  return record.observedAt + LOWER_READ_AFTER_MS;
}
