// An alert as JSON, with the deliveries of its notices.

import { iso } from "../../budget/instant.ts";
import { percentNumber, usdNumber } from "../../budget/money.ts";
import type { AlertListRow } from "../../records/delivery.ts";
import { isoOrNull } from "../json-instant.ts";
import { detailJson } from "./detail-json.ts";

/**
 * snake_case; US dollars and percent as numbers, instants ISO 8601 UTC. Values are those of the moment of the alert.
 */
export function alertJson({ alert, deliveries }: AlertListRow) {
  return {
    id: alert.id,
    tenant_id: alert.tenantId,
    event_type: alert.eventType,
    threshold: alert.threshold === null ? null : percentNumber(alert.threshold),
    currency: "USD",
    spend: usdNumber(alert.spendNanoUsd),
    limit: usdNumber(alert.limitNanoUsd),
    max_budget: usdNumber(alert.maxBudgetNanoUsd),
    used_percent: alert.used === null ? null : percentNumber(alert.used),
    period_started_at: iso(alert.periodStartedAt),
    resets_at: isoOrNull(alert.resetsAt),
    limit_version: alert.limitVersion,
    occurrence: alert.occurrence,
    repetition: alert.repetition,
    silent: alert.isSilent,
    detail: alert.detail && detailJson(alert.detail),
    created_at: iso(alert.createdAt),
    deliveries: deliveries.map((delivery) => ({
      channel_id: delivery.channelId,
      channel_name: delivery.channelName,
      channel_kind: delivery.channelKind,
      status: delivery.status,
      attempts: delivery.attempts,
      next_attempt_at: isoOrNull(delivery.nextAttemptAt),
      last_error: delivery.lastError,
      sent_at: isoOrNull(delivery.sentAt),
    })),
  };
}
