// One tenant's part of a batch, after its figure is in Postgres: alerts and their notices first, then the edge, then the
// reads that are due. Repeating any of it is harmless.

import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports.ts";
import type { TenantRecord } from "../tenant-record.ts";
import { type AnnounceDeps, announceAlerts, sendNotices } from "./announce-alerts.ts";
import type { Fold } from "./fold-account.ts";
import { confirmLater, type ReadDueDeps, readDue } from "./read-due.ts";
import { spreadSpend } from "./spread-spend.ts";

export type SettleDeps = AnnounceDeps & ReadDueDeps & Pick<Ports, "snapshots" | "sealer">;

/** @throws when anything could not be done: then the messages come again. */
export async function settleAccount({ fold, now }: { fold: Fold; now: Instant }, deps: SettleDeps): Promise<void> {
  const { account, observed, repeats, projections, lanes } = fold;
  const { tenantId } = account.tenant.config;
  const tenant = observed === null ? fold.tenant : await deps.tenants.recordSpend(tenantId, observed);
  // Deleted meanwhile.
  if (tenant === null) return;
  const { standing } = account;
  await announceAlerts({ account: { tenant, standing }, isBaseline: false, repeats, projections, now }, deps);
  // A delivery that broke off between Postgres and the queue: nobody has begun on these.
  await sendNotices(account.pending, deps);
  const isNews = fold.tenant.spend !== account.tenant.spend || fold.isRedelivery;
  if (isNews || observed !== null) await spreadSpend({ tenant, isTold: !isNews, now }, deps);
  await confirmLater({ tenant, lanes: [], now }, deps);
  if (fold.isHinted || lanes.length > 0) await readAndSettle(fold, tenant, now, deps);
}

async function readAndSettle(fold: Fold, before: TenantRecord, now: Instant, deps: SettleDeps): Promise<void> {
  const { account, lanes } = fold;
  const tenant = await readDue({ tenant: before, lanes, now }, deps);
  if (tenant === null) return;
  const { standing } = account;
  await announceAlerts({ account: { tenant, standing }, isBaseline: false, repeats: [], projections: [], now }, deps);
  await spreadSpend({ tenant, isTold: false, now }, deps);
  await confirmLater({ tenant, lanes, now }, deps);
}
