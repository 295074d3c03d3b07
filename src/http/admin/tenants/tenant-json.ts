// A tenant on the wire: its settings, its state at the moment of the answer, and how LiteLLM's side stands. No secrets.

import type { Instant } from "../../../budget/instant.ts";
import { iso } from "../../../budget/instant.ts";
import { limitAt, overridesAt } from "../../../budget/limit.ts";
import { percentNumber, shareOf, usdNumber } from "../../../budget/money.ts";
import { periodStartedAt } from "../../../budget/period.ts";
import { asOf } from "../../../budget/spend.ts";
import type { Override } from "../../../budget/tenant.ts";
import { stateAt } from "../../../budget/verdict.ts";
import type { TenantRecord } from "../../../records/tenant-record.ts";

/** snake_case JSON, US dollars and percent as numbers, instants ISO 8601 UTC; null where nothing is known. */
export function tenantJson(tenant: TenantRecord, now: Instant) {
  const { config, spend, sync } = tenant;
  const limit = limitAt(config, now);
  const used = spend === null ? null : shareOf(spend.spendNanoUsd, limit.limitNanoUsd);
  return {
    tenant_id: config.tenantId,
    name: config.name,
    subject: config.subject,
    currency: "USD",
    max_budget: usdNumber(config.maxBudgetNanoUsd),
    alert_threshold: percentNumber(config.alertThreshold),
    grace_threshold: percentNumber(config.graceThreshold),
    budget_duration: config.budgetDuration,
    enforcement: config.enforcement,
    fail_policy: config.failPolicy,
    state: stateAt(config, spend?.spendNanoUsd ?? null, now).state,
    spend: spend === null ? null : usdNumber(spend.spendNanoUsd),
    limit: usdNumber(limit.limitNanoUsd),
    used_percent: used === null ? null : percentNumber(used),
    blocks_at: usdNumber(limit.blocksAtNanoUsd),
    override_amount: usdNumber(limit.overrideNanoUsd),
    period_started_at: iso(spend?.periodStartedAt ?? periodStartedAt(config)),
    resets_at: iso(spend === null ? config.budgetResetAt : spend.resetsAt),
    as_of: spend === null ? null : iso(asOf(spend)),
    overrides: overridesAt(config, now).map(overrideJson),
    config_version: config.configVersion,
    litellm_sync: sync.status,
    litellm_sync_error: sync.error,
    adopted: tenant.adopted,
    suspended_at: iso(config.suspendedAt),
    created_at: iso(tenant.createdAt),
    updated_at: iso(tenant.updatedAt),
  };
}

function overrideJson(override: Override) {
  return {
    id: override.id,
    override_amount: usdNumber(override.amountNanoUsd),
    created_at: iso(override.createdAt),
    expires_at: iso(override.expiresAt),
  };
}
