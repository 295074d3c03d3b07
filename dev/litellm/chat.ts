// Model calls: checked against the budgets, answered with fixed words, and charged.
// Must never keep or log a prompt. Checked before and charged after, so calls at the same moment overspend.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Context, Hono } from "hono";
import { authenticate, type Caller } from "./auth.ts";
import { detailError, proxyError } from "./errors.ts";
import { type Body, isDict } from "./fields.ts";
import { floatText } from "./python-text.ts";
import type { Store } from "./store.ts";

const USAGE = { completion_tokens: 20, prompt_tokens: 10, total_tokens: 30 };
const PIECES = ["hel", "lo"];

interface Call {
  id: string;
  model: string;
  cost: number;
  caller: Caller;
  /** As memory had it when the call was checked: other calls of the same moment are not in it. */
  spendBefore: number;
  startedAt: number;
}

export function chatRoutes(store: Store): Hono {
  const app = new Hono();
  for (const path of ["/v1/chat/completions", "/chat/completions"]) app.post(path, (c) => complete(c, store));
  for (const path of ["/v1/models", "/models"]) {
    app.get(path, (c) => {
      authenticate(c.req.raw.headers, { path, kind: "info" }, store);
      const model = { id: "mock", object: "model", created: 1_677_610_602, owned_by: "openai" };
      return c.json({ data: [model], object: "list" });
    });
  }
  return app;
}

async function complete(c: Context, store: Store): Promise<Response> {
  const body = await jsonBody(c);
  const cost = costOf(c, body, store.settings.defaultCost);
  const caller = authenticate(c.req.raw.headers, { path: c.req.path, kind: "llm", isFree: cost === 0 }, store);
  const { model } = body;
  if (typeof model !== "string") {
    const rule = "Invalid model name passed in model=None. Call `/v1/models` to view available models for your key.";
    throw proxyError(400, "invalid_request_error", `${c.req.path}: ${rule}`);
  }
  const spendBefore = caller.kind === "key" ? caller.key.spend : 0;
  const call: Call = { id: randomUUID(), model, cost, caller, spendBefore, startedAt: performance.now() };
  await sleep(store.settings.callMs());
  if (body["stream"] === true) return new Response(streamed(call, store), { headers: headersOf(call, store, true) });
  finish(call, store);
  return Response.json(completion(call), { headers: headersOf(call, store, false) });
}

async function jsonBody(c: Context): Promise<Body> {
  try {
    const body: unknown = await c.req.json();
    return isDict(body) ? body : {};
  } catch {
    const message = "Invalid JSON payload: unexpected character: line 1 column 1 (char 0)";
    throw proxyError(400, "invalid_request_error", message, "request_body");
  }
}

/** USD, by the header `x-sim-cost`, else `metadata.sim_cost` of the body, else the simulator's default. */
function costOf(c: Context, body: Body, otherwise: number): number {
  const metadata = isDict(body["metadata"]) ? body["metadata"] : {};
  const cost = Number(c.req.header("x-sim-cost") ?? metadata["sim_cost"] ?? otherwise);
  if (!Number.isFinite(cost) || cost < 0) throw detailError(400, "the simulated cost must be a number of 0 or more");
  return cost;
}

function finish(call: Call, store: Store): void {
  if (call.caller.kind === "admin") return;
  const { key, team } = call.caller;
  const before = { ...key, spend: call.spendBefore };
  store.charge(key.hash, key.teamId, call.cost);
  const { id, model, cost } = call;
  store.settings.listener({ kind: "call_finished", callId: id, model, key: before, team: team && { ...team }, cost });
}

/** A stream has no cost yet when its headers go out, so they show the spend before it. */
function headersOf(call: Call, store: Store, isStream: boolean): Headers {
  const maxBudget = call.caller.kind === "key" ? call.caller.key.maxBudget : null;
  const cost = floatText(call.cost);
  return new Headers({
    "content-type": isStream ? "text/event-stream; charset=utf-8" : "application/json",
    "x-litellm-call-id": call.id,
    "x-litellm-model-id": "simulated",
    "x-litellm-model-api-base": "https://api.openai.com",
    "x-litellm-version": store.settings.version,
    ...(isStream ? {} : { "x-litellm-response-cost": cost, "x-litellm-response-cost-original": cost }),
    "x-litellm-response-cost-discount-amount": "0.0",
    "x-litellm-response-cost-margin-amount": "0.0",
    "x-litellm-response-cost-margin-percent": "0.0",
    ...(maxBudget === null ? {} : { "x-litellm-key-max-budget": floatText(maxBudget) }),
    "x-litellm-key-spend": floatText(isStream ? call.spendBefore : call.spendBefore + call.cost),
    "x-litellm-response-duration-ms": floatText(performance.now() - call.startedAt),
    "x-litellm-model-group": call.model,
    "x-litellm-attempted-retries": "0",
    "x-litellm-attempted-fallbacks": "0",
  });
}

function completion(call: Call): Body {
  const message = { content: PIECES.join(""), role: "assistant", tool_calls: null, function_call: null };
  const usage = { ...USAGE, completion_tokens_details: null, prompt_tokens_details: null };
  return { ...envelope(call, "chat.completion"), choices: [{ finish_reason: "stop", index: 0, message }], usage };
}

function envelope(call: Call, object: string): Body {
  return {
    id: `chatcmpl-${call.id}`,
    created: Math.floor(Date.now() / 1000),
    model: call.model,
    object,
    system_fingerprint: null,
  };
}

/** Charged when the last piece is out; a reader that leaves early is charged too, for the model has been paid. */
function streamed(call: Call, store: Store): ReadableStream<Uint8Array> {
  const deltas: Body[] = PIECES.map((content, index) => (index === 0 ? { content, role: "assistant" } : { content }));
  const chunks = [...deltas.map((delta) => ({ index: 0, delta })), { finish_reason: "stop", index: 0, delta: {} }].map(
    (choice) => JSON.stringify({ ...envelope(call, "chat.completion.chunk"), choices: [choice] }),
  );
  const events = [...chunks, "[DONE]"];
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const event = events.shift();
      if (event === undefined) {
        finish(call, store);
        controller.close();
        return;
      }
      await sleep(store.settings.callMs() / chunks.length);
      controller.enqueue(encoder.encode(`data: ${event}\n\n`));
    },
    cancel() {
      finish(call, store);
    },
  });
}
