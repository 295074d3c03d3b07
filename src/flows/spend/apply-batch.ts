// The steps for one tenant of a batch, after Postgres has recorded its spend: announce its alerts, publish its spend to
// the edge, and read LiteLLM where a read is due. Every step may be repeated.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { type AnnounceDeps, announceAlerts, sendNotices } from "../alerts/announce-alerts.ts";
import { announcePeriod } from "../alerts/announce-period.ts";
import { publishSpend } from "../edge/publish-spend.ts";
import type { MergedBatch } from "./merge-batch.ts";
import { confirmLater, runScheduledRead, type ScheduledReadDeps } from "./scheduled-read.ts";

export type ApplyDeps = AnnounceDeps & ScheduledReadDeps & Pick<Ports, "snapshots" | "cipher">;

interface ApplyInput {
  readonly merged: MergedBatch;
  readonly now: Instant;
}

/**
 * Records what reads have shown, then announces. Returns the tenant as Postgres has it now; null when it was deleted
 * meanwhile. @throws when the messages must be redelivered.
 */
export async function recordAndNotify({ merged, now }: ApplyInput, deps: ApplyDeps): Promise<TenantRecord | null> {
  const { tenantBatch, observed, repeats, projections, reasons } = merged;
  const { tenantId, subject } = tenantBatch.tenant.config;
  const tenant =
    observed === null ? merged.tenant : await deps.tenants.recordSpend({ tenantId, subject, record: observed });
  if (tenant === null) return null;
  const { history } = tenantBatch;
  await announcePeriod(tenant, now, deps);
  await announceAlerts({ tenantBatch: { tenant, history }, isBaseline: false, repeats, projections, now }, deps);
  // A crashed delivery recorded these in Postgres and did not put them on the queue.
  await sendNotices(tenantBatch.pending, deps);
  // When a confirmation is due, the read that follows decides whether to schedule another one.
  if (!reasons.includes("confirm")) await confirmLater({ tenant, reasons, now }, deps);
  return tenant;
}

/** @throws when KV cannot be reached; the messages are then redelivered. */
export async function publishToEdge(tenant: TenantRecord, { merged, now }: ApplyInput, deps: ApplyDeps): Promise<void> {
  const isNews = merged.tenant.spend !== merged.tenantBatch.tenant.spend || merged.isRedelivery;
  if (isNews || merged.observed !== null) await publishSpend({ tenant, isAnnounced: !isNews, now }, deps);
}

/** Reads LiteLLM, then announces and publishes the result. @throws when the messages must be redelivered. */
export async function readLiteLlm(before: TenantRecord, { merged, now }: ApplyInput, deps: ApplyDeps): Promise<void> {
  const { tenantBatch, reasons, isHinted } = merged;
  if (!isHinted && reasons.length === 0) return;
  const tenant = await runScheduledRead({ tenant: before, reasons, now }, deps);
  if (tenant === null) return;
  const { history } = tenantBatch;
  await announcePeriod(tenant, now, deps);
  await announceAlerts(
    { tenantBatch: { tenant, history }, isBaseline: false, repeats: [], projections: [], now },
    deps,
  );
  await confirmLater({ tenant, reasons, now }, deps);
  // A read that waits for a reset is worth a write only when the reset shows, and then the config is newer.
  const awaitsReset = !isHinted && reasons.every((reason) => reason === "period-end");
  await publishSpend({ tenant, isAnnounced: awaitsReset, now }, deps);
}
