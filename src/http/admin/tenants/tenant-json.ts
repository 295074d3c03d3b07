// A tenant as JSON: its settings, its state now, and the status of its LiteLLM sync. No secrets.

import type { Context } from "hono";
import { unreadSince } from "../../../budget/freshness.ts";
import { type Instant, iso } from "../../../budget/instant.ts";
import { limitAt, limitVersion, overridesAt, remainingOf } from "../../../budget/limit.ts";
import { percentNumber, shareOf, usdNumber } from "../../../budget/money.ts";
import { periodStartedAt } from "../../../budget/period.ts";
import { asOf } from "../../../budget/spend.ts";
import { KEEP_DELETED_MS, type Override } from "../../../budget/tenant.ts";
import { stateAt } from "../../../budget/verdict.ts";
import type { TenantRecord } from "../../../records/tenant.ts";
import { refusalSettingsJson } from "../../../wire/refusal-settings.ts";
import type { AppEnv } from "../../app-env.ts";
import { isoOrNull } from "../../json-instant.ts";
import { etagOf } from "../../request/if-match.ts";

/** A tenant as the answer of a call, with the tag for `If-Match`. */
export function tenantAnswer(c: Context<AppEnv>, tenant: TenantRecord): Response {
  return c.json(tenantJson(tenant, c.get("now")), 200, { ETag: etagOf(tenant.settingsVersion) });
}

/** snake_case; US dollars and percent as numbers, instants ISO 8601 UTC; null where the value is unknown. */
export function tenantJson(tenant: TenantRecord, now: Instant) {
  const { config, spend, sync, deletedAt } = tenant;
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
    refusal: config.refusal && refusalSettingsJson(config.refusal),
    ...(deletedAt === null ? stateAt(config, spend?.spendNanoUsd ?? null, now) : DELETED),
    spend: spend === null ? null : usdNumber(spend.spendNanoUsd),
    limit: usdNumber(limit.limitNanoUsd),
    used_percent: used === null ? null : percentNumber(used),
    remaining: spend === null ? null : usdNumber(remainingOf(limit.limitNanoUsd, spend.spendNanoUsd)),
    blocks_at: usdNumber(limit.blocksAtNanoUsd),
    override_amount: usdNumber(limit.overrideNanoUsd),
    period_started_at: isoOrNull(spend?.periodStartedAt ?? periodStartedAt(config)),
    resets_at: isoOrNull(spend === null ? config.budgetResetAt : spend.resetsAt),
    as_of: spend === null ? null : iso(asOf(spend)),
    unread_since: isoOrNull(unreadSince(readsOf(tenant), now)),
    overrides: overridesAt(config, now).map(overrideJson),
    metadata: tenant.metadata,
    config_version: tenant.settingsVersion,
    limit_version: limitVersion(config, now),
    litellm_sync: sync.status,
    litellm_sync_error: sync.error,
    adopted: tenant.adopted,
    suspended_at: isoOrNull(config.suspendedAt),
    subject_missing_at: isoOrNull(config.subjectMissingAt),
    litellm_blocked_at: isoOrNull(config.litellmBlockedAt),
    created_at: iso(tenant.createdAt),
    updated_at: iso(tenant.updatedAt),
    deleted_at: isoOrNull(deletedAt),
    purge_at: deletedAt === null ? null : iso(deletedAt + KEEP_DELETED_MS),
  };
}

/** In place of a verdict: a deleted tenant has none. */
const DELETED = { state: "deleted", reason: "deleted" } as const;

function readsOf({ config, spend, sync }: TenantRecord) {
  return {
    readAt: spend?.readAt ?? null,
    syncedSince: sync.status === "synced" ? sync.since : null,
    isMissing: config.subjectMissingAt !== null,
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
