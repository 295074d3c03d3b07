// Merges all messages of a batch for one tenant: its highest observation, its repeated alerts, and the reasons to read
// it. Decides only. The order of the messages does not matter.

import type { Projection, RepeatedAlert } from "../../budget/find-alerts.ts";
import { foldReported } from "../../budget/reported-spend.ts";
import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import type { ReadReason, ValidSpendMessage } from "../../ports/messages.ts";
import type { TenantBatch, TenantRecord } from "../../records/tenant.ts";
import { attributionOf } from "./attribute-spend.ts";

export interface Incoming {
  readonly body: ValidSpendMessage;
  /** The queue's id of the message, the same at every delivery. */
  readonly messageId: string;
  readonly isRedelivery: boolean;
}

export interface MergedBatch {
  readonly tenantBatch: TenantBatch;
  /** The tenant with the reports merged in; its spend is the batch's own object when they added nothing. */
  readonly tenant: TenantRecord;
  /** The joined observations of reads by other flows; null when there were none. */
  readonly observed: SpendRecord | null;
  readonly repeats: readonly RepeatedAlert[];
  readonly projections: readonly Projection[];
  readonly isHinted: boolean;
  readonly reasons: readonly ReadReason[];
  readonly isRedelivery: boolean;
}

export function mergeBatch(tenantBatch: TenantBatch, messages: readonly Incoming[]): MergedBatch {
  const { config } = tenantBatch.tenant;
  const bodies = messages.map(({ body }) => body);
  const attributions = bodies.flatMap((body) =>
    body.kind === "webhook" || body.kind === "calls" ? [attributionOf(body, config.subject)] : [],
  );
  let tenant = tenantBatch.tenant;
  let isHinted = attributions.some(({ isHint }) => isHint);
  for (const { observation } of attributions) {
    const spend = observation === null ? tenant.spend : foldReported(tenant, observation);
    // Reported spend that may belong to another period does not count, but the report is a hint.
    if (observation !== null && spend === null) isHinted = true;
    if (spend !== null && spend !== tenant.spend) tenant = { ...tenant, spend };
  }
  return {
    tenantBatch,
    tenant,
    observed: observedOf(bodies, config.subject.id),
    repeats: attributions.flatMap(({ repeat }) => repeat ?? []),
    projections: attributions.flatMap(({ projection }) => projection ?? []),
    isHinted,
    reasons: reasonsOf(bodies, config.subject.id),
    isRedelivery: messages.some(({ isRedelivery }) => isRedelivery),
  };
}

/** Ignores observations of a former subject of this tenant id. */
function observedOf(bodies: readonly ValidSpendMessage[], subjectId: string): SpendRecord | null {
  return bodies.reduce<SpendRecord | null>((joined, body) => {
    if (body.kind !== "observed" || body.subject_id !== subjectId) return joined;
    return joined === null ? body.record : joinRecords(joined, body.record);
  }, null);
}

function reasonsOf(bodies: readonly ValidSpendMessage[], subjectId: string): ReadReason[] {
  const due = bodies.flatMap((body) =>
    body.kind === "read_due" && body.subject_id === subjectId ? [body.reason] : [],
  );
  return [...new Set(due)];
}
