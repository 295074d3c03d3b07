// The response to a model call: a fixed text in OpenAI's format, with LiteLLM's headers.
// Must never depend on a budget or charge anything.

import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import { floatText } from "../python-text.ts";

export const COMPLETION_TOKENS = 20;
const USAGE = { completion_tokens: COMPLETION_TOKENS, prompt_tokens: 10, total_tokens: 30 };
const PIECES = ["hel", "lo"];
/** Values that 32-bit floats represent exactly. */
const VECTOR = [0.5, -0.25, 0.125];

export interface Answered {
  id: string;
  model: string;
  cost: number;
  maxBudget: number | null;
  spendBefore: number;
  durationMs: number;
  behaviour: Behaviour;
}

/** The cost of a stream is unknown when its headers are sent, so they show the spend before the call. */
export function headersOf(call: Answered, isStream: boolean): Headers {
  const { maxBudget, spendBefore } = call;
  const cost = floatText(call.cost);
  return new Headers({
    "content-type": isStream ? "text/event-stream; charset=utf-8" : "application/json",
    "x-litellm-call-id": call.id,
    "x-litellm-model-id": "simulated",
    "x-litellm-model-api-base": "https://api.openai.com",
    "x-litellm-version": call.behaviour.version,
    ...(isStream ? {} : { "x-litellm-response-cost": cost, "x-litellm-response-cost-original": cost }),
    ...(call.behaviour.release < 110 ? {} : costParts(isStream ? 0 : call.cost)),
    "x-litellm-response-cost-discount-amount": "0.0",
    "x-litellm-response-cost-margin-amount": "0.0",
    "x-litellm-response-cost-margin-percent": "0.0",
    ...(maxBudget === null ? {} : { "x-litellm-key-max-budget": floatText(maxBudget) }),
    "x-litellm-key-spend": floatText(isStream ? spendBefore : spendBefore + call.cost),
    "x-litellm-response-duration-ms": floatText(call.durationMs),
    "x-litellm-model-group": call.model,
    "x-litellm-attempted-retries": "0",
    "x-litellm-attempted-fallbacks": "0",
  });
}

/** Headers that 1.110 adds. Of a stream the cost is 0. Assigns one third of the cost to the input. */
function costParts(cost: number): Record<string, string> {
  return {
    "x-litellm-model-name": "openai/gpt-4o-mini",
    "x-litellm-response-cost-original": floatText(cost),
    "x-litellm-response-cost-input": floatText(cost / 3),
    "x-litellm-response-cost-output": floatText(cost - cost / 3),
    "x-litellm-response-cost-tool-usage": "0.0",
    "x-litellm-callback-duration-ms": "0.0",
  };
}

interface Named {
  id: string;
  model: string;
}

export function completion(call: Named): Body {
  const message = { content: PIECES.join(""), role: "assistant", tool_calls: null, function_call: null };
  const usage = { ...USAGE, completion_tokens_details: null, prompt_tokens_details: null };
  return { ...envelope(call, "chat.completion"), choices: [{ finish_reason: "stop", index: 0, message }], usage };
}

/** The same text in Anthropic's format. */
export function message(call: Named): Body {
  const content = [{ type: "text", text: PIECES.join("") }];
  const usage = { input_tokens: USAGE.prompt_tokens, output_tokens: USAGE.completion_tokens };
  const ended = { stop_reason: "end_turn", stop_sequence: null };
  return { id: `msg_${call.id}`, type: "message", role: "assistant", model: call.model, content, ...ended, usage };
}

/** The same vector for any input, as base64 of its floats (which OpenAI's clients request) or as numbers. */
export function embeddings(call: Named, asBase64: boolean): Body {
  const bytes = Buffer.from(Float32Array.from(VECTOR).buffer);
  const embedding = asBase64 ? bytes.toString("base64") : VECTOR;
  const usage = { prompt_tokens: 10, total_tokens: 10 };
  return { object: "list", model: call.model, data: [{ object: "embedding", index: 0, embedding }], usage };
}

/** The events of a stream. The last one is `[DONE]`. */
export function streamEvents(call: Named): string[] {
  const deltas: Body[] = PIECES.map((content, index) => (index === 0 ? { content, role: "assistant" } : { content }));
  const choices = [...deltas.map((delta) => ({ index: 0, delta })), { finish_reason: "stop", index: 0, delta: {} }];
  const chunks = choices.map((choice) =>
    JSON.stringify({ ...envelope(call, "chat.completion.chunk"), choices: [choice] }),
  );
  return [...chunks, "[DONE]"];
}

function envelope(call: Named, object: string): Body {
  return {
    id: `chatcmpl-${call.id}`,
    created: Math.floor(Date.now() / 1000),
    model: call.model,
    object,
    system_fingerprint: null,
  };
}
