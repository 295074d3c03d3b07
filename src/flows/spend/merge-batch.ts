// Everything that a batch says of one tenant, folded: its highest figure, what it was told again, and why it is to be read.
// Decides only. The order of the messages does not matter.

import type { Projection, RepeatedAlert } from "../../budget/alerts.ts";
import { foldReported } from "../../budget/observation.ts";
import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import type { ReadReason, ValidSpendMessage } from "../../ports/messages.ts";
import type { TenantBatch } from "../../records/tenant-batch.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { attributionOf } from "./attribute-spend.ts";

export interface Incoming {
  readonly body: ValidSpendMessage;
  /** The queue's own id of the message: the same however often it is delivered. */
  readonly messageId: string;
  readonly isRedelivery: boolean;
}

export interface Fold {
  readonly tenantBatch: TenantBatch;
  /** With the bounds folded in; its spend is the account's own object when they told nothing new. */
  readonly tenant: TenantRecord;
  /** What reads elsewhere have shown, joined; null when there were none. */
  readonly observed: SpendRecord | null;
  readonly repeats: readonly RepeatedAlert[];
  readonly projections: readonly Projection[];
  readonly isHinted: boolean;
  readonly reasons: readonly ReadReason[];
  readonly isRedelivery: boolean;
}

export function mergeBatch(tenantBatch: TenantBatch, messages: readonly Incoming[]): Fold {
  const { config } = tenantBatch.tenant;
  const bodies = messages.map(({ body }) => body);
  const attributions = bodies.flatMap((body) =>
    body.kind === "webhook" || body.kind === "calls" ? [attributionOf(body, config.subject)] : [],
  );
  let tenant = tenantBatch.tenant;
  let isHinted = attributions.some(({ isHint }) => isHint);
  for (const { observation } of attributions) {
    const spend = observation === null ? tenant.spend : foldReported(tenant, observation);
    // A figure that may be of another period counts for nothing, but something has happened.
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

/** Nothing that was learned of a former subject of this id is anything of the present one's. */
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
