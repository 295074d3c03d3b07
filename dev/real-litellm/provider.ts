// Stands for OpenAI's API behind a real proxy: answers "hello" to chats, responses and embeddings, whole or streamed.
// LiteLLM's own mock responses are not streamed on every route.

import { Hono } from "hono";
import { type Part, startPart } from "../part.ts";

const WORDS = ["hel", "lo"];
const TEXT = WORDS.join("");
const [INPUT_TOKENS, OUTPUT_TOKENS] = [10, 20];
const TOTAL_TOKENS = INPUT_TOKENS + OUTPUT_TOKENS;
const CREATED = 1_795_860_000;

export function startProvider(): Promise<Part> {
  const app = new Hono();
  app.post("/v1/chat/completions", async (c) => {
    const { model, stream } = await c.req.json();
    return stream === true ? sse([...chunks(model), "[DONE]"]) : c.json(completion(model));
  });
  app.post("/v1/responses", async (c) => {
    const { model, stream } = await c.req.json();
    return stream === true ? sse(responseEvents(model)) : c.json(response(model, "completed"));
  });
  app.post("/v1/embeddings", async (c) => {
    const { model } = await c.req.json();
    const usage = { prompt_tokens: OUTPUT_TOKENS, total_tokens: OUTPUT_TOKENS };
    return c.json({
      object: "list",
      model,
      data: [{ object: "embedding", index: 0, embedding: [0.5, -0.25, 0.125] }],
      usage,
    });
  });
  return startPart({ name: "provider", port: 0, portVariable: "", handler: (request) => app.fetch(request) });
}

const usage = { prompt_tokens: INPUT_TOKENS, completion_tokens: OUTPUT_TOKENS, total_tokens: TOTAL_TOKENS };

function completion(model: string) {
  const message = { role: "assistant", content: TEXT, refusal: null };
  return {
    id: `chatcmpl-${crypto.randomUUID()}`,
    object: "chat.completion",
    created: CREATED,
    model,
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage,
  };
}

function chunks(model: string): object[] {
  const shared = { id: `chatcmpl-${crypto.randomUUID()}`, object: "chat.completion.chunk", created: CREATED, model };
  const chunk = (delta: object, finish_reason: string | null = null) => ({
    ...shared,
    choices: [{ index: 0, delta, finish_reason }],
  });
  return [
    chunk({ role: "assistant", content: "" }),
    ...WORDS.map((content) => chunk({ content })),
    chunk({}, "stop"),
    { ...shared, choices: [], usage },
  ];
}

const ITEM = { type: "message", id: "msg_1", role: "assistant" };
const PART = { type: "output_text", annotations: [] };
const FINISHED_ITEM = { ...ITEM, status: "completed", content: [{ ...PART, text: TEXT }] };

function response(model: string, status: "in_progress" | "completed") {
  const isCompleted = status === "completed";
  return {
    id: `resp_${crypto.randomUUID()}`,
    object: "response",
    created_at: CREATED,
    status,
    model,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    output: isCompleted ? [FINISHED_ITEM] : [],
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    usage: isCompleted
      ? {
          input_tokens: INPUT_TOKENS,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: OUTPUT_TOKENS,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: TOTAL_TOKENS,
        }
      : null,
  };
}

function responseEvents(model: string): object[] {
  const at = { item_id: ITEM.id, output_index: 0, content_index: 0 };
  const events = [
    { type: "response.created", response: response(model, "in_progress") },
    { type: "response.output_item.added", output_index: 0, item: { ...ITEM, status: "in_progress", content: [] } },
    { type: "response.content_part.added", ...at, part: { ...PART, text: "" } },
    ...WORDS.map((delta) => ({ type: "response.output_text.delta", ...at, delta, logprobs: [] })),
    { type: "response.output_text.done", ...at, text: TEXT, logprobs: [] },
    { type: "response.content_part.done", ...at, part: { ...PART, text: TEXT } },
    { type: "response.output_item.done", output_index: 0, item: FINISHED_ITEM },
    { type: "response.completed", response: response(model, "completed") },
  ];
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}

/** An object with a `type` names its event, as OpenAI's responses do. */
function sse(events: readonly (object | string)[]): Response {
  const text = events.map((event) => {
    if (typeof event === "string") return `data: ${event}\n\n`;
    const name = "type" in event ? `event: ${event.type}\n` : "";
    return `${name}data: ${JSON.stringify(event)}\n\n`;
  });
  return new Response(text.join(""), { headers: { "Content-Type": "text/event-stream" } });
}
