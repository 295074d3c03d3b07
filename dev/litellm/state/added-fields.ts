// The fields that later versions of LiteLLM added to rows, answers and events, each beside the field before it.
// Must never change a field of 1.81.9: later versions drop none.

import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";

type Added = readonly [after: string, name: string, since: 83 | 103 | 110, value?: unknown];

export const KEY_ROW: readonly Added[] = [
  ["spend", "total_spend", 103, 0],
  ["team_id", "agent_id", 83],
  ["agent_id", "project_id", 83],
  ["rpm_limit", "tpd_limit", 103],
  ["allowed_routes", "key_type", 103, "default"],
  ["policies", "access_group_ids", 83, []],
  ["model_max_budget", "budget_fallbacks", 103, {}],
  ["updated_by", "settings_updated_at", 103],
  ["updated_by", "last_active", 83],
  ["key_rotation_at", "budget_limits", 83],
  ["litellm_organization_table", "litellm_project_table", 83],
  ["object_permission", "jwt_key_mappings", 83],
];

/** What the answer to `/key/generate` adds, beside the added columns. */
export const GENERATED_KEY: readonly Added[] = [
  ["", "agent_id", 83],
  ["", "project_id", 83],
  ["", "budget_limits", 83],
  ["", "access_group_ids", 83, []],
  ["", "budget_fallbacks", 103, {}],
  ["", "tpd_limit", 103],
  ["", "key_type", 103, "default"],
  ["", "default_estimated_output_tokens", 110],
  ["", "default_estimated_output_tokens_per_model", 110],
  ["", "denied_passthrough_routes", 110],
  ["", "disable_global_guardrails", 110],
  ["", "enable_prompt_caching", 110],
  ["", "end_user_budget_id", 110],
  ["", "mcp_rpm_limit", 110],
  ["", "tag_rpm_limit", 110],
  ["", "throttle_on_budget_exceeded", 110],
];

export const GENERATED_ROUTER_SETTINGS: readonly Added[] = [
  ["", "routing_groups", 110],
  ["", "retry_policy", 110],
  ["", "model_group_affinity_config", 110],
  ["", "content_policy_fallbacks", 110],
  ["", "enable_tag_filtering", 110],
  ["", "weights", 110],
  ["", "tag_routing_prefix", 110],
  ["", "optional_pre_call_checks", 110],
  ["", "fallback_on_unsupported_params", 110],
];

/** What a full key object in a list adds, beside the added columns. */
export const LISTED_KEY: readonly Added[] = [
  ["", "team_tpd_limit", 110],
  ["", "team_model_max_budget", 110],
  ["", "end_user_tpd_limit", 110],
  ["", "end_user_model_max_budget", 110],
  ["", "organization_alias", 110],
  ["", "project_alias", 110],
  ["", "project_metadata", 110],
  ["", "user_model_max_budget", 110],
  ["", "is_session_token", 110, false],
  ["", "created_by_user", 110],
  ["", "end_user_object_permission", 110],
  ["", "team_object_permission", 110],
  ["", "jwt_claims", 110],
];

export const BUDGET_ROW: readonly Added[] = [
  ["rpm_limit", "tpd_limit", 103],
  ["budget_reset_at", "allowed_models", 83, []],
  ["allowed_models", "temp_budget_increase", 103],
  ["temp_budget_increase", "temp_budget_expiry", 103],
  ["organization", "projects", 83],
  ["tags", "model_access_groups", 103],
];

export const TEAM_ROW: readonly Added[] = [
  ["rpm_limit", "tpd_limit", 103],
  ["team_member_permissions", "access_group_ids", 83, []],
  ["policies", "default_team_member_models", 83, []],
  ["default_team_member_models", "budget_limits", 83],
  ["model_id", "allow_team_guardrail_config", 83, false],
  ["object_permission", "projects", 83],
];

/** What `/team/info` adds to a team's row. */
export const TEAM_INFO: readonly Added[] = [
  ["team_member_budget_table", "access_group_models", 110],
  ["access_group_models", "access_group_mcp_server_ids", 110],
  ["access_group_mcp_server_ids", "access_group_agent_ids", 110],
  ["access_group_agent_ids", "access_group_skill_names", 110],
  ["access_group_skill_names", "unresolved_access_group_ids", 110],
  ["unresolved_access_group_ids", "access_group_details", 110],
  ["access_group_details", "organization_models", 110],
  ["organization_models", "model_max_budget_usage", 110, {}],
  ["model_max_budget_usage", "caller_edit_access", 110, { kind: "unrestricted" }],
];

export const WEBHOOK: readonly Added[] = [["alert_emails", "max_budget_alert_emails", 83]];

export const EVENT: readonly Added[] = [
  ["id", "litellm_call_id", 83],
  ["trace_id", "session_id", 103, ""],
  ["cache_key", "cost_finalized", 110, true],
  ["cost_breakdown", "autorouter_savings", 103],
  ["autorouter_savings", "autorouter_savings_estimate", 103],
  ["autorouter_savings_estimate", "autorouter_baseline_observation", 103],
  ["request_tags", "request_model_access_groups", 103, []],
  ["response_cost_failure_debug_info", "zero_cost_diagnostic", 110],
];

export const EVENT_METADATA: readonly Added[] = [
  ["user_api_key_budget_reset_at", "user_api_key_user_spend", 103],
  ["user_api_key_user_spend", "user_api_key_user_max_budget", 103],
  ["user_api_key_user_max_budget", "user_api_key_team_spend", 103],
  ["user_api_key_team_spend", "user_api_key_team_max_budget", 103],
  ["user_api_key_org_id", "user_api_key_org_alias", 83],
  ["user_api_key_org_alias", "user_api_key_project_id", 83],
  ["user_api_key_project_id", "user_api_key_project_alias", 83],
  ["vector_store_request_metadata", "routing_decision", 110],
  ["user_api_key_auth_metadata", "team_alias", 110],
  ["team_alias", "team_id", 110],
  ["team_id", "kubernetes_pod_routing", 110],
  ["kubernetes_pod_routing", "used_client_oauth_token", 110],
];

export const EVENT_COST: readonly Added[] = [
  ["", "service_tier", 110],
  ["", "data_residency", 110],
  ["", "vertex_location", 110],
];

export const EVENT_ERROR: readonly Added[] = [
  ["error_message", "error_provider_request_id", 103],
  ["error_provider_request_id", "error_rate_limit_category", 103],
  ["error_rate_limit_category", "error_rate_limit_type", 103],
  ["error_rate_limit_type", "error_budget_entity_type", 103],
  ["error_budget_entity_type", "error_budget_entity_id", 103],
  ["error_budget_entity_id", "error_budget_limit", 103],
  ["error_budget_limit", "error_budget_spend", 103],
  ["error_budget_spend", "error_cooldown_deployments", 110],
  ["error_cooldown_deployments", "normalized_error", 110],
];

export const EVENT_HIDDEN: readonly Added[] = [
  ["batch_models", "batch_successful_requests", 110],
  ["batch_successful_requests", "batch_failed_requests", 110],
];

export const GUARDRAIL_REQUEST: readonly Added[] = [
  ["request_data", "request_headers", 83],
  ["request_headers", "litellm_version", 83],
];

/**
 * The body with the version's added fields in LiteLLM's order: one of `known`, else of the table. Several fields after
 * the same one follow it in the table's order; those after "" come first.
 */
export function withAdded(body: Body, table: readonly Added[], { release }: Behaviour, known: Body = {}): Body {
  const result: Body = {};
  const addAfter = (before: string) => {
    for (const [after, name, since, value = null] of table) {
      if (after !== before || since > release) continue;
      result[name] = name in known ? known[name] : value;
      addAfter(name);
    }
  };
  addAfter("");
  for (const [name, value] of Object.entries(body)) {
    result[name] = value;
    addAfter(name);
  }
  return result;
}
