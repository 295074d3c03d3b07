// LiteLLM's configuration: models that cost money, and below them what an operator pastes.

import { parse, stringify } from "yaml";

export interface ConfigParts {
  /** The YAML of Bursar's `GET /v1/setup/litellm`, unchanged. Absent: LiteLLM reports nowhere. */
  readonly pasted?: string;
  /** A stand-in for OpenAI, for models that LiteLLM does not answer itself. Absent: no such models. */
  readonly providerUrl?: string;
}

/** US dollars. Every answer counts 20 tokens, so a call costs $0.28, whatever it asks. */
const COST_PER_TOKEN = 0.014;

export function configText({ pasted, providerUrl }: ConfigParts): string {
  const models = [...mocked(), ...(providerUrl === undefined ? [] : served(providerUrl))];
  return stringify({ model_list: models, ...(pasted !== undefined && (parse(pasted) as object)) });
}

/** LiteLLM answers these itself. The contract suite calls them. */
function mocked(): object[] {
  return [model("mock", { mock_response: "hello", output_cost_per_token: COST_PER_TOKEN })];
}

function served(providerUrl: string): object[] {
  const api_base = `${providerUrl}/v1`;
  return [
    model("chat", { api_base, output_cost_per_token: COST_PER_TOKEN }),
    // LiteLLM checks no budget of its own for a model that costs nothing.
    model("free", { api_base }),
    {
      ...model("embedding", { api_base, input_cost_per_token: COST_PER_TOKEN }),
      model_info: { mode: "embedding" },
    },
  ];
}

function model(name: string, params: object) {
  const free = { input_cost_per_token: 0, output_cost_per_token: 0 };
  return {
    model_name: name,
    litellm_params: { model: `openai/${name}`, api_key: "no-key-needed", ...free, ...params },
  };
}
