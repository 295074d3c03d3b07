// Announces a change that does not come from spend: records the alert and queues its notices. Idempotent: repeating it
// records no alert twice. The sweep finds changes that this flow left unannounced.

import type { AlertDetail } from "../../budget/alert.ts";
import { type ChangeAlertKey, changeAlert, instantOf } from "../../budget/alert.ts";
import { type Instant, iso } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import { periodStartedAt } from "../../budget/period.ts";
import type { Ports } from "../../ports/ports.ts";
import type { AnnouncedChange } from "../../records/audit.ts";
import type { RecordedAlerts } from "../../records/delivery.ts";
import type { OverrideRecord } from "../../records/override.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import type { Observed } from "../counting/observe.ts";
import { zeroNewerKeys } from "../litellm/zero-newer-keys.ts";
import { basisOf, MAX_EVALUATIONS, previewUndelivered, sendNotices } from "./announce-alerts.ts";

export type AnnounceChangeDeps = Pick<Ports, "alerts" | "noticeQueue" | "tenants" | "litellm" | "log">;

export interface AnnounceChangeInput {
  readonly change: AnnouncedChange;
  /** The tenant after the change; null: load it from Postgres. */
  readonly tenant: Pick<TenantRecord, "config" | "spend"> | null;
  /** True: record the alert without a notice. */
  readonly isSilent?: boolean;
  readonly now: Instant;
}

/** @throws when Postgres, the queue or, for a reset of a tenant with several keys, LiteLLM cannot be reached. */
export async function announceChange(input: AnnounceChangeInput, deps: AnnounceChangeDeps): Promise<void> {
  const { change, now } = input;
  const tenant = input.tenant ?? (await deps.tenants.load(alertOf(change).key.tenantId));
  if (tenant === null || isOver(change, tenant)) return;
  if (change.eventType === "budget_reset") await zeroNewerKeys({ tenant, now }, deps);
  const recorded = await recordChange({ ...input, tenant }, deps);
  if (recorded !== null) await sendNotices(recorded.deliveries, deps);
}

/** True for the reset of a period that is over by now: the next reset is announced instead. */
function isOver(change: AnnouncedChange, { config }: Pick<TenantRecord, "config">): boolean {
  return change.eventType === "budget_reset" && change.periodStartedAt !== periodStartedAt(config);
}

/** Null when there is nothing to announce: the tenant was deleted meanwhile, or its period is over. */
async function recordChange(
  { change, tenant: given, isSilent = false, now }: AnnounceChangeInput,
  deps: AnnounceChangeDeps,
): Promise<RecordedAlerts | null> {
  const { key, detail } = alertOf(change);
  const { tenantId } = key;
  let tenant = given;
  for (let evaluations = 0; evaluations < MAX_EVALUATIONS; evaluations++) {
    if (tenant === null || isOver(change, tenant)) return null;
    const at = instantOf(tenant.config, now);
    const isLast = evaluations === MAX_EVALUATIONS - 1;
    const draft = { ...changeAlert({ config: tenant.config, spend: tenant.spend, now: at }, key, detail), isSilent };
    const entry = {
      tenantId,
      lastEvaluation: null,
      evaluation: null,
      drafts: [draft],
      // A busy tenant's spend changes with every batch: in the end the spend of a moment ago is stated.
      basis: isLast ? { ...basisOf(tenant), spendNanoUsd: "any" as const } : basisOf(tenant),
      now: at,
    };
    const recorded = await deps.alerts.record(entry);
    if (recorded !== null) {
      if (recorded.announced > 0 && recorded.deliveries.length === 0) previewUndelivered(tenantId, [draft], deps);
      return recorded;
    }
    tenant = await deps.tenants.load(tenantId);
  }
  throw new Error("gave up after 3 changes of this tenant at one moment");
}

/** The period that a read has begun, if any. @throws as `announceChange`. */
export async function announceReset(
  { tenant, reset }: Pick<Observed, "tenant" | "reset">,
  now: Instant,
  deps: AnnounceChangeDeps,
): Promise<void> {
  if (reset !== null) await announceChange({ change: reset, tenant, now }, deps);
}

/**
 * Like `announceChange`, but never throws: the change counts even when its notices fail. The sweep announces it later.
 */
export async function tryAnnounceChange(input: AnnounceChangeInput, deps: AnnounceChangeDeps): Promise<void> {
  try {
    await announceChange(input, deps);
  } catch (cause) {
    const { tenantId, eventType } = alertOf(input.change).key;
    deps.log.error("change announcement failed", cause, { tenant_id: tenantId, event_type: eventType });
  }
}

/** The identity and the detail of a change's alert. */
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
