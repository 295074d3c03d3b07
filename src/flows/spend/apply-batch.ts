// One tenant's part of a batch, after its figure is in Postgres: people hear of its alerts, the edge of its figure, and
// LiteLLM is asked where that is due. Each step may be repeated, and none waits for what another one depends on.

import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceDeps, announceAlerts, sendNotices } from "../alerts/announce-alerts.ts";
import { announcePeriod } from "../alerts/announce-period.ts";
import { publishSpend } from "../edge/publish-spend.ts";
import type { Fold } from "./merge-batch.ts";
import { confirmLater, runScheduledRead, type ScheduledReadDeps } from "./scheduled-read.ts";

export type SettleDeps = AnnounceDeps & ScheduledReadDeps & Pick<Ports, "snapshots" | "cipher">;

interface SettleInput {
  readonly fold: Fold;
  readonly now: Instant;
}

/** The tenant as Postgres has it now; null when it was deleted meanwhile. @throws when the messages must come again. */
export async function notify({ fold, now }: SettleInput, deps: SettleDeps): Promise<TenantRecord | null> {
  const { tenantBatch, observed, repeats, projections, reasons } = fold;
  const { tenantId, subject } = tenantBatch.tenant.config;
  const tenant =
    observed === null ? fold.tenant : await deps.tenants.recordSpend({ tenantId, subject, record: observed });
  if (tenant === null) return null;
  const { history } = tenantBatch;
  await announcePeriod(tenant, now, deps);
  await announceAlerts({ tenantBatch: { tenant, history }, isBaseline: false, repeats, projections, now }, deps);
  // A delivery that broke off between Postgres and the queue: nobody has begun on these.
  await sendNotices(tenantBatch.pending, deps);
  // Where a confirmation has come due, the read that follows says whether it takes another one.
  if (!reasons.includes("confirm")) await confirmLater({ tenant, reasons, now }, deps);
  return tenant;
}

/** @throws when KV cannot be reached: then the messages come again. */
export async function publishToEdge(tenant: TenantRecord, { fold, now }: SettleInput, deps: SettleDeps): Promise<void> {
  const isNews = fold.tenant.spend !== fold.tenantBatch.tenant.spend || fold.isRedelivery;
  if (isNews || fold.observed !== null) await publishSpend({ tenant, isAnnounced: !isNews, now }, deps);
}

/** What LiteLLM answers goes the same way. @throws when the messages must come again. */
export async function askLiteLlm(before: TenantRecord, { fold, now }: SettleInput, deps: SettleDeps): Promise<void> {
  const { tenantBatch, reasons, isHinted } = fold;
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
  // A look for a reset that has not come yet is not worth a write; one that has come is a newer config.
  const isOnlyEvaluation = !isHinted && reasons.every((reason) => reason === "period-end");
  await publishSpend({ tenant, isAnnounced: isOnlyEvaluation, now }, deps);
}
