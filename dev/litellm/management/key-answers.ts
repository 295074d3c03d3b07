// The three responses in which a key's shape differs from its row: generated, listed as a full object, blocked.
// Must never show a raw key to anyone but the caller that creates it.

import type { Body } from "../dict.ts";
import { ADMIN_USER, type BudgetRow, budgetOnWire, type KeyRow, keyOnWire, onWire } from "../state/rows.ts";

/** Echoes the requested fields (`requested`). Its timestamps are those of the row in the database (`stored`). */
export function generatedKeyOnWire(key: string, requested: KeyRow, stored: KeyRow, budget: BudgetRow | null): Body {
  const { budget_reset_at: _, rest, ...columns } = requested;
  return {
    duration: null,
    models: [],
    max_parallel_requests: null,
    tpm_limit: null,
    rpm_limit: null,
    allowed_cache_controls: [],
    config: {},
    permissions: {},
    model_max_budget: {},
    aliases: {},
    allowed_routes: [],
    organization_id: null,
    ...Object.fromEntries(UNSET_WHEN_GENERATED.map((name) => [name, null])),
    router_settings: {
      ...Object.fromEntries(UNSET_ROUTER_SETTINGS.map((name) => [name, null])),
      model_group_alias: {},
    },
    ...rest,
    ...onWire({ ...columns, created_at: stored.created_at, updated_at: stored.updated_at }, "Z"),
    key,
    token_id: requested.token,
    litellm_budget_table: budget === null ? null : budgetOnWire(budget, "Z"),
    created_by: ADMIN_USER,
    updated_by: ADMIN_USER,
  };
}

const UNSET_WHEN_GENERATED = [
  "model_rpm_limit",
  "model_tpm_limit",
  "guardrails",
  "policies",
  "prompts",
  "object_permission",
  "tags",
  "enforced_params",
  "allowed_passthrough_routes",
  "allowed_vector_store_indexes",
  "rpm_limit_type",
  "tpm_limit_type",
];

const UNSET_ROUTER_SETTINGS = [
  "routing_strategy_args",
  "routing_strategy",
  "model_group_retry_policy",
  "allowed_fails",
  "cooldown_time",
  "num_retries",
  "timeout",
  "max_retries",
  "retry_after",
  "fallbacks",
  "context_window_fallbacks",
];

/** The response of block and unblock. */
export function blockedKeyOnWire(row: KeyRow): Body {
  const fields = Object.entries(keyOnWire(row, null, "Z")).filter(([name]) => !NOT_WHEN_BLOCKED.includes(name));
  return { ...Object.fromEntries(fields), org_id: null };
}

const NOT_WHEN_BLOCKED = ["policies", "budget_id", "organization_id", "litellm_organization_table"];

/** A full key object in a list: the shape of LiteLLM's caller identity, filled in from the key's own row only. */
export function listedKeyOnWire(row: KeyRow): Body {
  const unset = Object.fromEntries(UNSET_WHEN_LISTED.map((name) => [name, null]));
  return { ...blockedKeyOnWire(row), ...unset, team_models: [], team_blocked: false };
}

const UNSET_WHEN_LISTED = [
  "team_spend",
  "team_alias",
  "team_tpm_limit",
  "team_rpm_limit",
  "team_max_budget",
  "team_soft_budget",
  "soft_budget",
  "team_model_aliases",
  "team_member",
  "team_metadata",
  "team_object_permission_id",
  "team_member_spend",
  "team_member_tpm_limit",
  "team_member_rpm_limit",
  "end_user_id",
  "end_user_tpm_limit",
  "end_user_rpm_limit",
  "end_user_max_budget",
  "organization_max_budget",
  "organization_tpm_limit",
  "organization_rpm_limit",
  "organization_metadata",
  "last_refreshed_at",
  "api_key",
  "user_role",
  "allowed_model_region",
  "parent_otel_span",
  "rpm_limit_per_model",
  "tpm_limit_per_model",
  "user_tpm_limit",
  "user_rpm_limit",
  "user_email",
  "user_spend",
  "user_max_budget",
  "request_route",
  "user",
];
