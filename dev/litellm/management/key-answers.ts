// The responses in which a key's shape differs from its row: generated, listed as a full object, blocked, deleted.
// Must never show a raw key to anyone but the caller that creates it.

import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import { GENERATED_KEY, GENERATED_ROUTER_SETTINGS, LISTED_KEY, withAdded } from "../state/added-fields.ts";
import { ADMIN_USER, type BudgetRow, budgetOnWire, type KeyRow, keyOnWire, onWire } from "../state/rows.ts";
import type { DeletedKey } from "../state/store.ts";

/** Echoes the requested fields (`requested`). Its timestamps are those of the row in the database (`stored`). */
export function generatedKeyOnWire(
  key: string,
  requested: KeyRow,
  stored: KeyRow,
  budget: BudgetRow | null,
  behaviour: Behaviour,
): Body {
  const { budget_reset_at: _, added: __, rest, ...columns } = requested;
  const router = { ...unset(UNSET_ROUTER_SETTINGS), model_group_alias: {} };
  const body = {
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
    ...unset(UNSET_WHEN_GENERATED),
    router_settings: withAdded(router, GENERATED_ROUTER_SETTINGS, behaviour),
    ...rest,
    ...onWire({ ...columns, created_at: stored.created_at, updated_at: stored.updated_at }, "Z"),
    key,
    token_id: requested.token,
    litellm_budget_table: budget === null ? null : budgetOnWire(budget, "Z", behaviour),
    created_by: ADMIN_USER,
    updated_by: ADMIN_USER,
  };
  return withAdded(body, GENERATED_KEY, behaviour);
}

function unset(names: readonly string[]): Body {
  return Object.fromEntries(names.map((name) => [name, null]));
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
export function blockedKeyOnWire(row: KeyRow, behaviour: Behaviour, zone: "+00:00" | "Z" = "Z"): Body {
  const hidden = behaviour.release >= 103 ? NOT_WHEN_BLOCKED : [...NOT_WHEN_BLOCKED, "budget_id"];
  const fields = Object.entries(keyOnWire(row, null, zone, behaviour)).filter(([name]) => !hidden.includes(name));
  return { ...Object.fromEntries(fields), org_id: null };
}

const NOT_WHEN_BLOCKED = [
  "policies",
  "organization_id",
  "litellm_organization_table",
  "litellm_project_table",
  "jwt_key_mappings",
];

/** The last row of a deleted key, without its budget object. */
export function deletedKeyOnWire({ row, deletedAt }: DeletedKey, behaviour: Behaviour): Body {
  const { token: _, ...info } = blockedKeyOnWire(row, behaviour, "+00:00");
  return {
    ...info,
    id: row.token.slice(0, 8),
    organization_id: null,
    ...onWire({ deleted_at: deletedAt }, "+00:00"),
    deleted_by: ADMIN_USER,
    deleted_by_api_key: "litellm_proxy_master_key",
    litellm_changed_by: null,
    status: "deleted",
  };
}

/** A full key object in a list: the shape of LiteLLM's caller identity, filled in from the key's own row only. */
export function listedKeyOnWire(row: KeyRow, behaviour: Behaviour): Body {
  const body = {
    ...blockedKeyOnWire(row, behaviour),
    ...unset(UNSET_WHEN_LISTED),
    team_models: [],
    team_blocked: false,
  };
  return withAdded(body, LISTED_KEY, behaviour);
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
