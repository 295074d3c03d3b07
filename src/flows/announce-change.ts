// Tells people of what an administrator or the clock has changed: records the alert and puts its notices on the queue.
// Repeating it records nothing twice. Never fails the change that it follows: what it leaves undone the sweep finds.

import type { AlertDetail } from "../budget/alerts.ts";
import { type ChangeAlertKey, changeAlert } from "../budget/change-alert.ts";
import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports.ts";
import type { TenantRecord } from "../records/tenant-record.ts";
import { previewUndelivered, sendNotices } from "./announce-alerts.ts";

export type AnnounceChangeDeps = Pick<Ports, "alerts" | "noticeQueue" | "log">;

export interface AnnounceChangeInput {
  /** As it is after the change. */
  readonly tenant: Pick<TenantRecord, "config" | "spend">;
  readonly key: ChangeAlertKey;
  readonly detail: AlertDetail | null;
  readonly now: Instant;
}

/** @throws when Postgres or the queue cannot be reached. */
export async function announceChange(input: AnnounceChangeInput, deps: AnnounceChangeDeps): Promise<void> {
  const { tenant, key, detail, now } = input;
  const { config, spend } = tenant;
  const draft = changeAlert({ config, spend, now }, key, detail);
  const { tenantId } = config;
  const recorded = await deps.alerts.record({ tenantId, looked: null, looking: null, drafts: [draft], now });
  // Deleted meanwhile: nobody is left to be told.
  if (recorded === null) return;
  if (recorded.told > 0 && recorded.deliveries.length === 0) previewUndelivered(tenantId, [draft], deps);
  await sendNotices(recorded.deliveries, deps);
}

/** The same behind an administrator's change, which is made whatever becomes of the notices. */
export async function tryAnnounceChange(input: AnnounceChangeInput, deps: AnnounceChangeDeps): Promise<void> {
  try {
    await announceChange(input, deps);
  } catch (cause) {
    const { tenantId, eventType } = input.key;
    deps.log.error("a change was not announced: the sweep will", cause, { tenant_id: tenantId, event_type: eventType });
  }
}
