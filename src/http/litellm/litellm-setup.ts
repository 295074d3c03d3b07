// What to paste into a LiteLLM proxy's config.yaml so that it reports to Bursar, and asks it before each call; with what
// each version makes of it. Pure. Holds secrets: whoever sends it says that it may not be kept.

import type { FailPolicy } from "../../budget/tenant.ts";

export interface LiteLlmSetup {
  /** Where LiteLLM reaches this Worker, without a slash at the end. */
  readonly origin: string;
  readonly urlToken: string;
  readonly eventsToken: string;
  readonly guardrailToken: string;
  /** What becomes of a call while this Worker cannot be asked: the same as while it can find nothing out. */
  readonly failPolicy: FailPolicy;
  /** `env`: the config refers to variables that the proxy must be given. `inline`: it needs nothing else. */
  readonly secrets: "env" | "inline";
}

/** LiteLLM resolves `os.environ/` only where it is the whole of a value, so the variable holds the word Bearer too. */
const AUTHORIZATION_VARIABLE = "BURSAR_EVENTS_AUTHORIZATION";
const GUARDRAIL_VARIABLE = "BURSAR_GUARDRAIL_TOKEN";

export function litellmSetup(setup: LiteLlmSetup): string {
  const { origin, eventsToken, guardrailToken, failPolicy, secrets } = setup;
  const ownVariables: Variables = [
    [AUTHORIZATION_VARIABLE, `Bearer ${eventsToken}`],
    [GUARDRAIL_VARIABLE, guardrailToken],
  ];
  const [authorization = "", apiKey = ""] = ownVariables.map(([name, value]) =>
    secrets === "env" ? `os.environ/${name}` : value,
  );
  const inEnvironment = [...alertVariables(setup), ...ownVariables];
  return [
    PREFACE,
    secrets === "env" ? environmentToSet(inEnvironment) : environmentSection(alertVariables(setup)),
    ALERTS,
    callback(`${origin}/v1/events/litellm`, authorization),
    guardrail(`${origin}/litellm`, apiKey, failPolicy),
  ].join("\n");
}

type Variables = readonly (readonly [name: string, value: string])[];

function alertVariables({ origin, urlToken }: LiteLlmSetup): Variables {
  return [
    ["WEBHOOK_URL", `${origin}/v1/webhooks/litellm/${encodeURIComponent(urlToken)}`],
    ["SLACK_WEBHOOK_URL", `${origin}/healthz`],
  ];
}

/** JSON's strings are YAML's too, whatever a token holds. */
const quoted = (text: string) => JSON.stringify(text);

const PREFACE = `# LiteLLM reports to Bursar and asks it before each call. Merge this into the proxy's config.yaml (a section that is there already gets these
# entries, a list these items) and restart the proxy. To try it: GET <proxy>/health/services?service=webhook
`;

const SLACK_NOTE = `# SLACK_WEBHOOK_URL must be set, to any URL. Without it LiteLLM fails between sending an alert and noting that it did, and
# repeats the alert on every request. Put a Slack webhook there to read LiteLLM's own texts; Bursar's /healthz refuses them,
# which LiteLLM only writes into its log.
`;

function environmentToSet(variables: Variables): string {
  const lines = variables.map(([name, value]) => `#   ${name}=${value}\n`).join("");
  return `# The environment that the proxy needs. These are secrets: keep them where its others are, and delete these lines.
# As they stand they are lines of an env file; a shell wants the values in quotes. They must be variables of the process:
# LiteLLM sets those of its section environment_variables too late for os.environ/ to find.
${lines}
${SLACK_NOTE}`;
}

function environmentSection(variables: Variables): string {
  const lines = variables.map(([name, value]) => `  ${name}: ${quoted(value)}\n`).join("");
  return `# This file holds secrets: keep it as you keep the master key.
${SLACK_NOTE}environment_variables:
${lines}`;
}

const ALERTS = `general_settings:
  # "webhook" alone sends nothing from 1.80.10 on: alerts leave only where "slack" is in the list. Both do in every version.
  alerting: ["slack", "webhook"]
  # LiteLLM's texts to Slack are narrowed by this as well. If you read others there, name them too.
  alert_types: ["budget_alerts"]
  alerting_args:
    # Seconds. As it comes (86400) an alert at 85 % silences the one at 95 % for a day, and the first block of a period
    # the next one after a reset or a raised budget. Bursar drops what it has heard already.
    budget_alert_ttl: 60

# LiteLLM alerts when a key's next request comes in, not when its spend crosses a line; it signs nothing, sends the same
# alert two or three times, and sends one per worker unless it has Redis. For Bursar an alert is a hint to read the spend.
# The callback below is what it counts by: it tells the cost of every call.
`;

function callback(endpoint: string, authorization: string): string {
  return `litellm_settings:
  callbacks: ["bursar"]
  # Else every prompt and every answer is sent along. It holds for all callbacks of this proxy.
  turn_off_message_logging: true

# In every edition since about 1.80.8. An older open-source proxy has no such callback: leave this section and the line
# callbacks out there, and let the alerts do.
callback_settings:
  bursar:
    callback_type: generic_api
    endpoint: ${quoted(endpoint)}
    # 1.81.9 leaves a callback without headers out, in silence.
    headers:
      Authorization: ${quoted(authorization)}
    event_types: ["llm_api_success", "llm_api_failure"]
    # Sent every 5 s or 512 calls, whatever batch_size and flush_interval say (1.81.9).
    log_format: json_array
    # Heeded since spring 2026. Before, what cannot be delivered at once is lost; Bursar's own reads make up for it.
    max_retries: 4
    retry_delay: 5
`;
}

function guardrail(apiBase: string, apiKey: string, failPolicy: FailPolicy): string {
  const isOpen = failPolicy === "open";
  return `# LiteLLM asks Bursar before each call, and passes a refusal on to the agent: as a 500 in 1.81.9, as a 400 since.
# The whole prompt is sent along; Bursar reads whose call it is, and keeps and logs nothing of the rest.
# Without this section LiteLLM's own limit, which Bursar sets, still stops a key.
# Before summer 2026 calls with built-in tools (code_interpreter, file_search) fail while it is there.
guardrails:
  - guardrail_name: "bursar"
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      default_on: true
      api_base: ${quoted(apiBase)}
      api_key: ${quoted(apiKey)}
      # As DEFAULT_FAIL_POLICY: ${failPolicy}. For when Bursar cannot be reached (heeded since spring 2026), and for any other
      # failure (since summer 2026). Before, a guardrail that fails, fails the call, in 1.81.9 too.
      unreachable_fallback: ${isOpen ? "fail_open" : "fail_closed"}
      fail_on_error: ${!isOpen}
`;
}
