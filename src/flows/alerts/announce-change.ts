// Tells people of what an administrator or the clock has changed: records the alert and puts its notices on the queue.
// Repeating it records nothing twice. What it leaves undone the sweep finds.

import type { AlertDetail } from "../../budget/alerts.ts";
import { type ChangeAlertKey, changeAlert } from "../../budget/change-alert.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { AnnouncedChange } from "../../records/alert-record.ts";
import type { OverrideRecord } from "../../records/override-record.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { previewUndelivered, sendNotices } from "./announce-alerts.ts";

export type AnnounceChangeDeps = Pick<Ports, "alerts" | "noticeQueue" | "tenants" | "log">;

export interface AnnounceChangeInput {
  readonly change: AnnouncedChange;
  /** As it is after the change; null: as Postgres has it by now. */
  readonly tenant: Pick<TenantRecord, "config" | "spend"> | null;
  /** True: recorded, and nobody is told. */
  readonly isSilent?: boolean;
  readonly now: Instant;
}

/** @throws when Postgres or the queue cannot be reached. */
export async function announceChange(input: AnnounceChangeInput, deps: AnnounceChangeDeps): Promise<void> {
  const { change, isSilent = false, now } = input;
  const { key, detail } = alertOf(change);
  const { tenantId } = key;
  const tenant = input.tenant ?? (await deps.tenants.load(tenantId));
  // Deleted meanwhile: nobody is left to be told.
  if (tenant === null) return;
  const draft = { ...changeAlert({ config: tenant.config, spend: tenant.spend, now }, key, detail), isSilent };
  const recorded = await deps.alerts.record({ tenantId, lastEvaluation: null, evaluation: null, drafts: [draft], now });
  if (recorded === null) return;
  if (recorded.announced > 0 && recorded.deliveries.length === 0) previewUndelivered(tenantId, [draft], deps);
  await sendNotices(recorded.deliveries, deps);
  if (change.eventType === "budget_reset") await deps.tenants.notePeriodAnnounced(tenantId, change.periodStartedAt);
}

/** The same behind a change that is made whatever becomes of the notices. Never throws. */
export async function tryAnnounceChange(input: AnnounceChangeInput, deps: AnnounceChangeDeps): Promise<void> {
  try {
    await announceChange(input, deps);
  } catch (cause) {
    const { tenantId, eventType } = alertOf(input.change).key;
    deps.log.error("a change was not announced: the sweep will", cause, { tenant_id: tenantId, event_type: eventType });
  }
}

/** What makes the alert of a change the one that it is, and what it says. */
function alertOf(change: AnnouncedChange): { key: ChangeAlertKey; detail: AlertDetail | null } {
  switch (change.eventType) {
    case "override_granted":
    case "override_ended": {
      const { eventType, override } = change;
      const key = { eventType, tenantId: override.tenantId, overrideId: override.id };
      return { key, detail: overrideDetail(override) };
    }
    case "tenant_suspended":
    case "tenant_resumed":
      return { key: change, detail: { audit_id: change.auditId } };
    case "budget_reset":
      return { key: change, detail: null };
  }
}

/** How much, until when, why, and who. */
function overrideDetail(override: OverrideRecord): AlertDetail {
  return {
    override_id: override.id,
    override_amount: decimalFromNanoUsd(override.amountNanoUsd),
    expires_at: iso(override.expiresAt),
    reason: override.reason,
    granted_by: override.createdBy,
    ...(override.revokedAt !== null && { revoked_at: iso(override.revokedAt), revoked_by: override.revokedBy }),
  };
}

const iso = (instant: Instant) => new Date(instant).toISOString();
