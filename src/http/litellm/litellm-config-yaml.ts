// The part of a LiteLLM proxy's config.yaml that makes it report to Bursar and ask it before each call, with notes on
// versions. Pure. Holds secrets: the route must answer with `Cache-Control: no-store`.

import type { FailPolicy } from "../../budget/tenant.ts";

export interface LiteLlmSetup {
  /** The URL at which LiteLLM reaches this Worker, without a trailing slash. */
  readonly origin: string;
  readonly urlToken: string;
  readonly eventsToken: string;
  readonly guardrailToken: string;
  /** LiteLLM applies it while this Worker is unreachable, as Bursar does while the spend is unknown. */
  readonly failPolicy: FailPolicy;
  /** `env`: the config refers to environment variables of the proxy. `inline`: the config holds the secrets. */
  readonly secrets: "env" | "inline";
}

/** LiteLLM resolves `os.environ/` only as a whole value, so the variable includes the word Bearer. */
const AUTHORIZATION_VARIABLE = "BURSAR_EVENTS_AUTHORIZATION";
const GUARDRAIL_VARIABLE = "BURSAR_GUARDRAIL_TOKEN";

export function litellmConfigYaml(setup: LiteLlmSetup): string {
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

/** A JSON string is a valid YAML string, whatever characters a token has. */
const quoted = (text: string) => JSON.stringify(text);

const PREFACE = `# LiteLLM reports to Bursar and asks it before each call. Merge this into the proxy's config.yaml (add these entries to
# sections and lists that already exist) and restart the proxy. To try it: GET <proxy>/health/services?service=webhook
`;

const SLACK_NOTE = `# Set SLACK_WEBHOOK_URL to any URL. Without it LiteLLM sends each alert but fails to record that it did, and repeats the
# alert on every request. With a Slack webhook you get LiteLLM's own messages. The value above is Bursar's /healthz, which
# rejects them; LiteLLM logs the rejection and goes on.
`;

function environmentToSet(variables: Variables): string {
  const lines = variables.map(([name, value]) => `#   ${name}=${value}\n`).join("");
  return `# The environment that the proxy needs. These are secrets: keep them with the proxy's others, and delete these lines.
# They are in the format of an env file; in a shell, quote the values. Set them as variables of the process: LiteLLM reads
# its section environment_variables too late for os.environ/ to find them.
${lines}
${SLACK_NOTE}`;
}

function environmentSection(variables: Variables): string {
  const lines = variables.map(([name, value]) => `  ${name}: ${quoted(value)}\n`).join("");
  return `# This file holds secrets: store it like the master key.
${SLACK_NOTE}environment_variables:
${lines}`;
}

const ALERTS = `general_settings:
  # From 1.80.10 on, LiteLLM sends alerts only if the list has "slack". Both together work in every version.
  alerting: ["slack", "webhook"]
  # This filters LiteLLM's messages to Slack too. Add the other alert types that you read there.
  alert_types: ["budget_alerts"]
  alerting_args:
    # Seconds. With the default (86400) an alert at 85 % silences the one at 95 % for a day, and the first block of a period
    # silences the next one after a reset or a raised budget. Bursar drops repeated alerts.
    budget_alert_ttl: 60

# LiteLLM sends an alert at the key's next request, not when its spend crosses a threshold. It signs nothing, sends the same
# alert two or three times, and once per worker unless it has Redis. For Bursar an alert is a hint to read the spend.
# Bursar counts spend by the callback below, which reports the cost of every call.
`;

function callback(endpoint: string, authorization: string): string {
  return `litellm_settings:
  callbacks: ["bursar"]
  # Without this, LiteLLM sends every prompt and answer too. It applies to all callbacks of this proxy.
  turn_off_message_logging: true
  # A caller could otherwise keep its calls out of the callback by "no-log" in the body.
  global_disable_no_log_param: true
  # LiteLLM's own refusal has 400 until about 1.83, then 429, and 422 since 1.104. Heeded since 1.104.
  budget_exceeded_status_code: 402

# In every edition since about 1.80.8. An older open-source proxy has no such callback: leave out this section and the line
# "callbacks"; Bursar then relies on the alerts.
callback_settings:
  bursar:
    callback_type: generic_api
    endpoint: ${quoted(endpoint)}
    # 1.81.9 silently ignores a callback without headers.
    headers:
      Authorization: ${quoted(authorization)}
    event_types: ["llm_api_success", "llm_api_failure"]
    # Sent every 5 s or 512 calls, whatever batch_size and flush_interval say (1.81.9).
    log_format: json_array
    # Effective since spring 2026. Older versions lose a batch that they cannot deliver at once; Bursar's own reads of the
    # spend then correct it.
    max_retries: 4
    retry_delay: 5
`;
}

function guardrail(apiBase: string, apiKey: string, failPolicy: FailPolicy): string {
  const isOpen = failPolicy === "open";
  return `# LiteLLM asks Bursar before each call, and returns a refusal to the agent: as a 500 up to 1.83, as a 400 since.
# LiteLLM sends the whole prompt; Bursar reads the key and the team, and neither keeps nor logs the rest.
# Without this section LiteLLM still stops a key at its own limit, which Bursar sets.
# In versions before summer 2026 this section makes calls with built-in tools (code_interpreter, file_search) fail.
guardrails:
  - guardrail_name: "bursar"
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      default_on: true
      api_base: ${quoted(apiBase)}
      api_key: ${quoted(apiKey)}
      # As DEFAULT_FAIL_POLICY: ${failPolicy}. Applies when Bursar is unreachable (since spring 2026), and to any other failure
      # (since summer 2026). In older versions, 1.81.9 included, a failing guardrail fails the call.
      unreachable_fallback: ${isOpen ? "fail_open" : "fail_closed"}
      fail_on_error: ${!isOpen}
      # Seconds. Without it a Bursar that does not answer holds every call for ten minutes. Heeded since 1.105, the number
      # of retries since 1.109; older versions ignore both.
      timeout: 2
      num_retries: 0
`;
}
