// LiteLLM's StandardLoggingPayload, which the generic_api callback sends for each finished or refused call.
// Must never carry a raw key. Like the real one, it contains the text of the call unless message logging is off.

import type { CallFinished, CallRecord, CallRefused } from "../calls/call-events.ts";
import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import { instantText } from "../python-text.ts";
import { EVENT, EVENT_COST, EVENT_ERROR, EVENT_HIDDEN, EVENT_METADATA, withAdded } from "../state/added-fields.ts";
import type { KeyView, TeamView } from "../state/memory.ts";

const REDACTED = "redacted-by-litellm";
/** The model behind every requested model name. */
const MODEL = "openai/gpt-4o-mini";
const MODEL_ID = "simulated";
const LOOPBACK = "127.0.0.1";

export interface Wording {
  /** `turn_off_message_logging` */
  isRedacted: boolean;
  behaviour: Behaviour;
}

export function successPayload(event: CallFinished, wording: Wording): Body {
  const { key, team, cost, call, response } = event;
  const usage = response["usage"] as Body;
  return payload(event, wording, {
    id: response["id"],
    status: "success",
    provider: "openai",
    model: MODEL,
    metadata: {
      ...callerMetadata(key, team),
      user_api_key_end_user_id: call.endUser,
      user_api_key_request_route: call.route,
      usage_object: usage,
      ...(wording.behaviour.release < 110 ? {} : { requester_custom_headers: {}, used_client_oauth_token: false }),
    },
    cost,
    usage,
    response: wording.isRedacted ? { text: REDACTED } : response,
    error: null,
    refused: {},
  });
}

function callerMetadata(key: KeyView, team: TeamView | null): Body {
  return {
    user_api_key_hash: key.hash,
    user_api_key_alias: key.alias,
    user_api_key_spend: key.spend,
    user_api_key_max_budget: key.maxBudget,
    user_api_key_budget_reset_at: key.resetsAt === null ? null : instantText(key.resetsAt, "+00:00"),
    user_api_key_team_spend: team?.rowSpend ?? null,
    user_api_key_team_max_budget: team?.maxBudget ?? null,
    user_api_key_team_id: key.teamId,
    user_api_key_user_id: key.userId,
    user_api_key_team_alias: team?.alias ?? null,
    user_api_key_auth_metadata: key.metadata,
  };
}

/**
 * A refused call never reached a model. Up to 1.83 LiteLLM fills in only the hash of its key. Since 1.103 the metadata
 * is that of a finished call, and the refusing budget and the spend that LiteLLM compared with it are in the error.
 */
export function refusalPayload(event: CallRefused, wording: Wording): Body {
  const { key, team } = event;
  const isNamed = key !== null && wording.behaviour.refusalEventNamesKey;
  return payload(event, wording, {
    id: event.call.id,
    status: "failure",
    provider: isNamed ? "openai" : "",
    model: event.call.model,
    metadata: isNamed
      ? { ...callerMetadata(key, team), user_api_key_request_route: event.call.route }
      : { user_api_key_hash: event.keyHash },
    cost: null,
    usage: { total_tokens: 0, prompt_tokens: 0, completion_tokens: 0 },
    response: {},
    error: event.message,
    refused: isNamed ? refusedBy(event.message, key, wording.behaviour) : {},
  });
}

/** The amounts and the team stand in LiteLLM's message. */
function refusedBy(message: string, key: KeyView, { refusalStatus, release }: Behaviour): Body {
  const [, teamId, spend, limit] = REFUSAL.exec(message) ?? [];
  return {
    error_code: String(refusalStatus),
    llm_provider: "openai",
    error_rate_limit_category: "litellm_rate_limit",
    error_rate_limit_type: "budget",
    error_budget_entity_type: teamId === undefined ? "key" : "team",
    error_budget_entity_id: teamId ?? key.hash,
    error_budget_limit: Number(limit),
    error_budget_spend: Number(spend),
    normalized_error: release >= 110 ? "429_BUDGET_EXCEEDED" : null,
  };
}

const REFUSAL = /(?:Team=(\S+) )?Current cost: (\S+), Max budget: (\S+)$/;

interface Outcome {
  id: unknown;
  status: "success" | "failure";
  provider: string;
  model: string;
  metadata: Body;
  /** Null: no model was called. */
  cost: number | null;
  usage: Body;
  response: Body;
  error: string | null;
  /** The fields of the error that name the refusing budget. */
  refused: Body;
}

function payload({ call, endedAt }: { call: CallRecord; endedAt: number }, wording: Wording, outcome: Outcome): Body {
  const { cost, usage, error } = outcome;
  const userAgent = call.headers["user-agent"] ?? null;
  const endTime = endedAt / 1_000;
  const { behaviour } = wording;
  const body = {
    id: outcome.id,
    trace_id: call.traceId,
    call_type: "acompletion",
    cache_hit: null,
    stream: call.isStream ? true : null,
    status: outcome.status,
    status_fields: { llm_api_status: outcome.status, guardrail_status: "not_run" },
    custom_llm_provider: outcome.provider,
    saved_cache_cost: 0,
    startTime: call.startedAt / 1_000,
    endTime,
    completionStartTime: endTime,
    response_time: (endedAt - call.startedAt) / 1_000,
    model: outcome.model,
    metadata: metadata(call, outcome.metadata, behaviour),
    cache_key: null,
    response_cost: cost ?? 0,
    cost_breakdown: cost === null ? null : withAdded(costBreakdown(cost), EVENT_COST, behaviour),
    total_tokens: usage["total_tokens"],
    prompt_tokens: usage["prompt_tokens"],
    completion_tokens: usage["completion_tokens"],
    request_tags: requestTags(userAgent),
    end_user: call.endUser ?? (behaviour.release === 110 ? null : ""),
    api_base: "",
    model_group: call.model,
    model_id: cost === null ? "" : MODEL_ID,
    requester_ip_address: LOOPBACK,
    user_agent: userAgent,
    messages: wording.isRedacted ? [{ role: "user", content: REDACTED }] : call.messages,
    response: outcome.response,
    model_parameters: { stream: call.isStream },
    hidden_params: withAdded(hiddenParams(cost), EVENT_HIDDEN, behaviour),
    model_map_information: { model_map_key: call.model, model_map_value: null },
    error_str: error,
    error_information: errorInformation(error, outcome.refused, behaviour),
    response_cost_failure_debug_info: null,
    guardrail_information: null,
    standard_built_in_tools_params: { web_search_options: null, file_search: null },
  };
  return withAdded(body, EVENT, behaviour, { litellm_call_id: call.id, cost_finalized: cost !== null });
}

function metadata(call: CallRecord, known: Body, behaviour: Behaviour): Body {
  const body = {
    user_api_key_hash: null,
    user_api_key_alias: null,
    user_api_key_spend: null,
    user_api_key_max_budget: null,
    user_api_key_budget_reset_at: null,
    user_api_key_team_id: null,
    user_api_key_org_id: null,
    user_api_key_user_id: null,
    user_api_key_team_alias: null,
    user_api_key_user_email: null,
    user_api_key_end_user_id: null,
    user_api_key_request_route: null,
    spend_logs_metadata: null,
    requester_ip_address: LOOPBACK,
    user_agent: call.headers["user-agent"] ?? null,
    requester_metadata: { headers: call.headers },
    prompt_management_metadata: null,
    applied_guardrails: [],
    mcp_tool_call_metadata: null,
    vector_store_request_metadata: null,
    usage_object: null,
    requester_custom_headers: null,
    cold_storage_object_key: null,
    user_api_key_auth_metadata: null,
  };
  const added = withAdded(body, EVENT_METADATA, behaviour);
  return { ...added, ...Object.fromEntries(Object.entries(known).filter(([name]) => name in added)) };
}

/** Assigns one third of the cost to the input: the simulator has no price list. */
function costBreakdown(cost: number): Body {
  return {
    input_cost: cost / 3,
    output_cost: cost - cost / 3,
    total_cost: cost,
    tool_usage_cost: 0,
    original_cost: cost,
    discount_percent: 0,
    discount_amount: 0,
    margin_percent: 0,
    margin_fixed_amount: 0,
    margin_total_amount: 0,
  };
}

function hiddenParams(cost: number | null): Body {
  return {
    model_id: cost === null ? null : MODEL_ID,
    cache_key: null,
    api_base: cost === null ? null : "https://api.openai.com",
    response_cost: cost,
    additional_headers: cost === null ? null : {},
    litellm_overhead_time_ms: null,
    batch_models: null,
    litellm_model_name: cost === null ? null : MODEL,
    usage_object: null,
  };
}

/** The simulator reports only one error: an exceeded budget. */
function errorInformation(message: string | null, refused: Body, behaviour: Behaviour): Body {
  const body = {
    error_code: "",
    error_class: message === null ? "" : "BudgetExceededError",
    llm_provider: "",
    traceback: "",
    error_message: message ?? "",
  };
  const added = withAdded(body, EVENT_ERROR, behaviour);
  return { ...added, ...Object.fromEntries(Object.entries(refused).filter(([name]) => name in added)) };
}

/** "User-Agent: curl" and "User-Agent: curl/7.88.1". */
function requestTags(userAgent: string | null): string[] {
  if (userAgent === null) return [];
  return [`User-Agent: ${userAgent.split("/")[0]}`, `User-Agent: ${userAgent}`];
}
