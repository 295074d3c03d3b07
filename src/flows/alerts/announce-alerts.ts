// Records the alerts that a tenant's figure calls for, and puts their notices on the queue. Repeating it records nothing
// twice; a queue that refuses loses nothing, because the deliveries lie in Postgres.

import { type AlertDraft, type FindAlertsInput, findAlerts } from "../../budget/alerts.ts";
import { limitVersion } from "../../budget/limit.ts";
import { percentNumber } from "../../budget/money.ts";
import { isOfAnEndedPeriod } from "../../budget/verdict.ts";
import { noticeMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { DeliveryKey, RecordedAlerts } from "../../records/alert-record.ts";
import type { TenantBatch } from "../../records/tenant-batch.ts";

export type AnnounceDeps = Pick<Ports, "spendBatches" | "alerts" | "noticeQueue" | "log" | "policy">;

export interface AnnounceInput extends Pick<FindAlertsInput, "isBaseline" | "repeats" | "projections" | "now"> {
  readonly tenantBatch: Pick<TenantBatch, "tenant" | "history">;
}

/** Whoever finds the standing changed looks again; three others at one tenant in one moment are a fault. */
const EVALUATIONS = 3;

/** @throws when Postgres or the queue cannot be reached: then the messages come again. */
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
  for (let evaluations = 0; evaluations < EVALUATIONS && tenantBatch !== undefined; evaluations++) {
    const wanted = alertsOf({ ...input, tenantBatch }, deps);
    if (wanted === null) return NOTHING;
    const recorded = await deps.alerts.record(wanted);
    if (recorded !== null) {
      if (recorded.announced > 0 && recorded.deliveries.length === 0)
        previewUndelivered(wanted.tenantId, wanted.drafts, deps);
      return recorded;
    }
    const { tenantId } = tenantBatch.tenant.config;
    [tenantBatch] = await deps.spendBatches.open([{ kind: "tenant", id: tenantId }], { withPending: false });
  }
  // Deleted meanwhile: nobody is left to be told.
  if (tenantBatch === undefined) return NOTHING;
  throw new Error("gave up after 3 concurrent evaluations of this tenant");
}

/** What is to be recorded; null when this has been looked at already and nothing is new. */
function alertsOf({ tenantBatch, isBaseline, repeats, projections, now }: AnnounceInput, { policy }: AnnounceDeps) {
  const { tenant, history } = tenantBatch;
  const { config, spend: record } = tenant;
  // Somebody else has taken the baseline meanwhile; what is new since is no part of it.
  if (isBaseline && history.lastEvaluation !== null) return null;
  // A figure of an ended period says nothing of this one.
  if (record === null || isOfAnEndedPeriod(config, record)) return null;
  const repeatAfterMs = policy.alertRepeatSeconds * 1_000;
  const drafts = findAlerts({ config, record, history, isBaseline, repeats, repeatAfterMs, projections, now });
  const evaluation = { limitVersion: limitVersion(config, now), periodStartedAt: record.periodStartedAt };
  const { lastEvaluation } = history;
  const isEvaluated =
    lastEvaluation?.limitVersion === evaluation.limitVersion &&
    lastEvaluation.periodStartedAt === evaluation.periodStartedAt;
  return drafts.length === 0 && isEvaluated
    ? null
    : { tenantId: config.tenantId, lastEvaluation, evaluation, drafts, now };
}

/** There is nobody to tell: the log is. */
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
