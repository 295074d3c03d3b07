// Asks a Generic Guardrail API before each model call, and waits for its answer.
// Sends the whole prompt, as LiteLLM does, and must never keep it. Fails closed by default, as LiteLLM does.

import { type Body, isDict } from "../dict.ts";
import { guardrailError } from "../errors.ts";
import type { Behaviour } from "../profiles.ts";
import { GUARDRAIL_REQUEST, withAdded } from "../state/added-fields.ts";
import type { Post, PostAnswer } from "./post.ts";
import type { GuardrailReceiver } from "./receivers.ts";
import type { SentLog } from "./sent-log.ts";

const PATH = "/beta/litellm_basic_guardrail_api";

export interface GuardedCall {
  id: string;
  traceId: string;
  model: string;
  messages: unknown;
  tools: unknown;
  /** Without those that may contain a key. */
  headers: Record<string, string>;
  /** The caller, in LiteLLM's `user_api_key_…` fields. Null fields are left out of the request. */
  caller: { user_api_key_hash: string } & Body;
}

export interface GuardrailTools {
  post: Post;
  sent: SentLog;
  now: () => number;
  behaviour: Behaviour;
}

export class Guardrail {
  receiver: GuardrailReceiver | null = null;
  readonly #tools: GuardrailTools;

  constructor(tools: GuardrailTools) {
    this.#tools = tools;
  }

  /** @throws LitellmError when the guardrail blocks the call, or fails and the failure policy is closed. */
  async check(call: GuardedCall): Promise<void> {
    const { receiver } = this;
    if (receiver === null) return;
    const { post, sent, now, behaviour } = this.#tools;
    const at = now();
    const { timeoutMs } = receiver;
    const answer = await post({
      url: addressOf(receiver.url),
      headers: { "x-api-key": receiver.token },
      body: JSON.stringify(questionOf(call, behaviour)),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    sent.add({ kind: "guardrail", keyHash: call.caller.user_api_key_hash, status: answer.status, at });
    const verdict = verdictIn(answer);
    if (verdict === null) {
      if (mayPass(answer, receiver, behaviour)) return;
      throw guardrailError(500, `Generic Guardrail API failed: ${failureText(answer, addressOf(receiver.url))}`);
    }
    if (verdict["action"] !== "BLOCKED") return;
    const reason = verdict["blocked_reason"];
    const message = typeof reason === "string" && reason !== "" ? reason : "Content violates policy";
    throw guardrailError(behaviour.guardrailStatus, message);
  }
}

function addressOf(base: string): string {
  return base.includes(PATH) ? base : base.replace(/\/$/, "") + PATH;
}

function questionOf(call: GuardedCall, behaviour: Behaviour): Body {
  const { id, traceId, model, messages, tools, caller, headers } = call;
  const body = {
    input_type: "request",
    litellm_call_id: id,
    litellm_trace_id: traceId,
    structured_messages: messages ?? null,
    images: nonEmpty(partsOf(messages, "image_url")),
    tools: tools ?? null,
    texts: partsOf(messages, "text"),
    request_data: Object.fromEntries(Object.entries(caller).filter(([, value]) => value !== null)),
    additional_provider_specific_params: {},
    tool_calls: null,
    model,
  };
  const added = { request_headers: headers, litellm_version: behaviour.version };
  return withAdded(body, GUARDRAIL_REQUEST, behaviour, added);
}

/** The texts or the image URLs of all messages, in order. */
function partsOf(messages: unknown, type: "text" | "image_url"): unknown[] {
  const contents = Array.isArray(messages)
    ? messages.map((message) => (isDict(message) ? message["content"] : null))
    : [];
  return contents.flatMap((content) => {
    if (typeof content === "string") return type === "text" ? [content] : [];
    const parts: unknown[] = Array.isArray(content) ? content : [];
    return parts
      .filter((part): part is Body => isDict(part) && part["type"] === type)
      .map((part) => (isDict(part[type]) ? part[type]["url"] : part[type]));
  });
}

function nonEmpty(list: unknown[]): unknown[] | null {
  return list.length === 0 ? null : list;
}

/** Null when the answer is not a verdict: its status is not 2xx, or its body is not a JSON object. */
function verdictIn(answer: PostAnswer): Body | null {
  if (answer.status === null || answer.status < 200 || answer.status > 299) return null;
  try {
    const body: unknown = JSON.parse(answer.text);
    return isDict(body) ? body : null;
  } catch {
    return null;
  }
}

/** A setting that the version does not have is ignored: without both, a failing guardrail always fails the call. */
function mayPass({ status }: PostAnswer, receiver: GuardrailReceiver, { guardrailFallback }: Behaviour): boolean {
  if (guardrailFallback === "none") return false;
  const isUnreachable = status === null || [502, 503, 504].includes(status);
  return (
    (guardrailFallback === "any_error" && receiver.failOnError === false) ||
    (isUnreachable && receiver.unreachableFallback === "fail_open")
  );
}

function failureText({ status, reason }: PostAnswer, address: string): string {
  if (status === null || status < 300) return status === null ? reason : "Expecting value: line 1 column 1 (char 0)";
  const side = status < 400 ? "Redirect response" : status < 500 ? "Client error" : "Server error";
  const page = `https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/${status}`;
  return `${side} '${status} ${reason}' for url '${address}'\nFor more information check: ${page}`;
}
