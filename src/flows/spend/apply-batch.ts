// One tenant's part of a batch, after its figure is in Postgres: people hear of its alerts, the edge of its figure, and
// LiteLLM is asked where that is due. Each step may be repeated, and none waits for what another one depends on.

import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceDeps, announceAlerts, sendNotices } from "../alerts/announce-alerts.ts";
import { announcePeriod } from "../alerts/announce-period.ts";
import { spreadSpend } from "../edge/publish-spend.ts";
import type { Fold } from "./merge-batch.ts";
import { confirmLater, type ReadDueDeps, readDue } from "./scheduled-read.ts";

export type SettleDeps = AnnounceDeps & ReadDueDeps & Pick<Ports, "snapshots" | "sealer">;

interface SettleInput {
  readonly fold: Fold;
  readonly now: Instant;
}

/** The tenant as Postgres has it now; null when it was deleted meanwhile. @throws when the messages must come again. */
export async function tellPeople({ fold, now }: SettleInput, deps: SettleDeps): Promise<TenantRecord | null> {
  const { account, observed, repeats, projections, lanes } = fold;
  const { tenantId, subject } = account.tenant.config;
  const tenant =
    observed === null ? fold.tenant : await deps.tenants.recordSpend({ tenantId, subject, record: observed });
  if (tenant === null) return null;
  const { standing } = account;
  await announcePeriod(tenant, now, deps);
  await announceAlerts({ account: { tenant, standing }, isBaseline: false, repeats, projections, now }, deps);
  // A delivery that broke off between Postgres and the queue: nobody has begun on these.
  await sendNotices(account.pending, deps);
  // Where a confirmation has come due, the read that follows says whether it takes another one.
  if (!lanes.includes("confirmation")) await confirmLater({ tenant, lanes, now }, deps);
  return tenant;
}

/** @throws when KV cannot be reached: then the messages come again. */
export async function tellEdge(tenant: TenantRecord, { fold, now }: SettleInput, deps: SettleDeps): Promise<void> {
  const isNews = fold.tenant.spend !== fold.account.tenant.spend || fold.isRedelivery;
  if (isNews || fold.observed !== null) await spreadSpend({ tenant, isTold: !isNews, now }, deps);
}

/** What LiteLLM answers goes the same way. @throws when the messages must come again. */
export async function askLiteLlm(before: TenantRecord, { fold, now }: SettleInput, deps: SettleDeps): Promise<void> {
  const { account, lanes, isHinted } = fold;
  if (!isHinted && lanes.length === 0) return;
  const tenant = await readDue({ tenant: before, lanes, now }, deps);
  if (tenant === null) return;
  const { standing } = account;
  await announcePeriod(tenant, now, deps);
  await announceAlerts({ account: { tenant, standing }, isBaseline: false, repeats: [], projections: [], now }, deps);
  await confirmLater({ tenant, lanes, now }, deps);
  // A look for a reset that has not come yet is not worth a write; one that has come is a newer config.
  const isOnlyLook = !isHinted && lanes.every((lane) => lane === "period-end");
  await spreadSpend({ tenant, isTold: isOnlyLook, now }, deps);
}
