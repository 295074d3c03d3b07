// Tells people of changes that nobody has told them of, because who made them died in between. Found by level: an audited
// change without its alert. Two sweeps that overlap tell once, because an alert is recorded once.

import type { AlertDetail } from "../budget/alerts.ts";
import type { ChangeAlertKey } from "../budget/change-alert.ts";
import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports.ts";
import type { UntoldChange } from "../records/override-record.ts";
import { type AnnounceChangeDeps, announceChange } from "./announce-change.ts";
import { overrideDetail } from "./spread-override.ts";

export type TellDeps = AnnounceChangeDeps & Pick<Ports, "tenants">;

/** Whoever has just made a change is telling of it at this moment. */
const IN_FLIGHT_MS = 30_000;

/** A weekend without a sweep is made up for; what is older is no news to anybody. */
const LOOK_BACK_MS = 3 * 86_400_000;

/** Three requests each. What is left is the next minute's. */
const CHANGES_PER_RUN = 100;

export async function announceChanges({ now }: { now: Instant }, deps: TellDeps): Promise<void> {
  const audited = { since: now - LOOK_BACK_MS, until: now - IN_FLIGHT_MS };
  const untold = await deps.alerts.listUntold(audited, CHANGES_PER_RUN);
  if (untold.length > 0) deps.log.warn("changes are announced late", { changes: untold.length });
  for (const change of untold) await tellOf(change, now, deps);
}

/** Never throws: what cannot be told now is found again. */
export async function tellOf(change: UntoldChange, now: Instant, deps: TellDeps): Promise<void> {
  const { key, detail } = wordsOf(change);
  const { tenantId, eventType } = key;
  try {
    const tenant = await deps.tenants.load(tenantId);
    if (tenant !== null) await announceChange({ tenant, key, detail, now }, deps);
  } catch (cause) {
    deps.log.error("a change was not announced", cause, { tenant_id: tenantId, event_type: eventType });
  }
}

function wordsOf(change: UntoldChange): { key: ChangeAlertKey; detail: AlertDetail } {
  if ("override" in change) {
    const { eventType, override } = change;
    const key = { eventType, tenantId: override.tenantId, overrideId: override.id };
    return { key, detail: overrideDetail(override) };
  }
  const { eventType, tenantId, auditId, reason } = change;
  return { key: { eventType, tenantId, auditId }, detail: { audit_id: auditId, ...(reason !== null && { reason }) } };
}
