// LiteLLM's configuration: one model that answers a fixed text and costs money, and the Worker it reports to, if any.

import { stringify } from "yaml";

/** The model that the contract tests call. */
const MODEL = "mock";

/** US dollars. LiteLLM counts 20 tokens for its mock response, so a call costs $0.28, whatever its prompt. */
const INPUT_COST_PER_TOKEN = 0;
const OUTPUT_COST_PER_TOKEN = 0.014;

/** The Worker of the local stack, with the tokens that it accepts from LiteLLM. */
export interface Reporting {
  readonly eventsUrl: string;
  readonly eventsToken: string;
  readonly guardrailUrl: string;
  readonly guardrailToken: string;
}

export function configText(reporting: Reporting | null): string {
  const model = {
    model_name: MODEL,
    litellm_params: {
      model: `openai/${MODEL}`,
      api_key: "no-key-needed",
      mock_response: "hello",
      input_cost_per_token: INPUT_COST_PER_TOKEN,
      output_cost_per_token: OUTPUT_COST_PER_TOKEN,
    },
  };
  return stringify({ model_list: [model], ...(reporting !== null && reportingConfig(reporting)) });
}

function reportingConfig({ eventsUrl, eventsToken, guardrailUrl, guardrailToken }: Reporting): object {
  return {
    litellm_settings: { callbacks: ["bursar"], turn_off_message_logging: true },
    callback_settings: {
      bursar: {
        callback_type: "generic_api",
        endpoint: eventsUrl,
        headers: { Authorization: `Bearer ${eventsToken}` },
      },
    },
    guardrails: [
      {
        guardrail_name: "bursar",
        litellm_params: {
          guardrail: "generic_guardrail_api",
          mode: "pre_call",
          default_on: true,
          api_base: guardrailUrl,
          api_key: guardrailToken,
          unreachable_fallback: "fail_open",
          fail_on_error: false,
          timeout: 2,
        },
      },
    ],
  };
}
