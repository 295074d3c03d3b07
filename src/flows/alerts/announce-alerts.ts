// Evaluates a tenant: records the alerts that its spend calls for, and queues their notices. Idempotent: repeating it
// records no alert twice. When the queue refuses, the deliveries wait in Postgres.

import { type AlertDraft, instantOf } from "../../budget/alert.ts";
import { type FindAlertsInput, findAlerts } from "../../budget/find-alerts.ts";
import { limitVersion } from "../../budget/limit.ts";
import { percentNumber } from "../../budget/money.ts";
import { isOfEndedPeriod } from "../../budget/period.ts";
import { noticeMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { AlertBasis } from "../../records/alert.ts";
import type { DeliveryKey, RecordedAlerts } from "../../records/delivery.ts";
import type { TenantBatch, TenantRecord } from "../../records/tenant.ts";

export type AnnounceDeps = Pick<Ports, "spendBatches" | "alerts" | "noticeQueue" | "log" | "policy">;

export interface AnnounceInput extends Pick<FindAlertsInput, "isBaseline" | "repeats" | "now"> {
  readonly tenantBatch: Pick<TenantBatch, "tenant" | "history">;
}

/**
 * Evaluates again when the tenant was changed or evaluated meanwhile, so that an alert never states the limit or the
 * spend of before. More than three times at one moment is a fault.
 */
export const MAX_EVALUATIONS = 3;

/** @throws when Postgres or the queue cannot be reached; the messages are then redelivered. */
export async function announceAlerts(input: AnnounceInput, deps: AnnounceDeps): Promise<void> {
  const recorded = await recordAlerts(input, deps);
  await sendNotices(recorded.deliveries, deps);
}

export async function sendNotices(
  deliveries: readonly DeliveryKey[],
  { noticeQueue }: Pick<Ports, "noticeQueue">,
): Promise<void> {
  if (deliveries.length > 0) await noticeQueue.sendAll(deliveries.map(noticeMessage));
}

const NOTHING: RecordedAlerts = { announced: 0, deliveries: [] };

async function recordAlerts(input: AnnounceInput, deps: AnnounceDeps): Promise<RecordedAlerts> {
  let tenantBatch: AnnounceInput["tenantBatch"] | undefined = input.tenantBatch;
  for (let evaluations = 0; evaluations < MAX_EVALUATIONS && tenantBatch !== undefined; evaluations++) {
    const now = instantOf(tenantBatch.tenant.config, input.now);
    const wanted = alertsOf({ ...input, tenantBatch, now }, deps);
    if (wanted === null) return NOTHING;
    const recorded = await deps.alerts.record(wanted);
    if (recorded !== null) {
      if (recorded.announced > 0 && recorded.deliveries.length === 0)
        previewUndelivered(wanted.tenantId, wanted.drafts, deps);
      return recorded;
    }
    const { tenantId } = tenantBatch.tenant.config;
    [tenantBatch] = await deps.spendBatches.load([{ kind: "tenant", id: tenantId }], { withPending: false });
  }
  // The tenant was deleted meanwhile: nothing to announce.
  if (tenantBatch === undefined) return NOTHING;
  throw new Error("gave up after 3 concurrent evaluations of this tenant");
}

/** The alerts and the evaluation to record; null when nothing is new since the last evaluation. */
function alertsOf({ tenantBatch, isBaseline, repeats, now }: AnnounceInput, { policy }: AnnounceDeps) {
  const { tenant, history } = tenantBatch;
  const { config, spend: record } = tenant;
  // Another consumer has recorded the baseline meanwhile.
  if (isBaseline && history.lastEvaluation !== null) return null;
  // Spend of an ended period does not count in the current one.
  if (record === null || isOfEndedPeriod(config, record)) return null;
  const repeatAfterMs = policy.alertRepeatSeconds * 1_000;
  const drafts = findAlerts({ config, record, history, isBaseline, repeats, repeatAfterMs, now });
  const evaluation = { limitVersion: limitVersion(config, now), periodStartedAt: record.periodStartedAt };
  const { lastEvaluation } = history;
  const isEvaluated =
    lastEvaluation?.limitVersion === evaluation.limitVersion &&
    lastEvaluation.periodStartedAt === evaluation.periodStartedAt;
  return drafts.length === 0 && isEvaluated
    ? null
    : { tenantId: config.tenantId, lastEvaluation, evaluation, drafts, basis: basisOf(tenant), now };
}

export function basisOf({ config, spend }: Pick<TenantRecord, "config" | "spend">): AlertBasis {
  return { revision: config.revision, spendNanoUsd: spend?.spendNanoUsd ?? null };
}

/** Logs a notice that no channel receives. */
export function previewUndelivered(tenantId: string, drafts: readonly AlertDraft[], { log }: Pick<Ports, "log">): void {
  for (const { eventType, used } of drafts.filter(({ isSilent }) => !isSilent)) {
    log.info("notice preview", {
      tenant_id: tenantId,
      event_type: eventType,
      used_percent: used === null ? null : percentNumber(used),
      why: "no channel is configured",
    });
  }
}
