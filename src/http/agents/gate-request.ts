// What Gate forwards to LiteLLM: which paths, which key, which headers. Forwards exactly the path that it matched, and
// never a second key. Decides only.

import { holdsVirtualKey } from "../../wire/key-hash.ts";
import type { Envelope } from "../sdk-envelope.ts";
import { KEY_HEADERS, KEY_QUERY } from "./key-places.ts";

/** A deployment or an id: one path segment, never `..` nor any other that begins with a dot. */
const ID = "[\\w-][\\w.:@-]*";
/** A model's name, such as `azure/gpt-4o`: LiteLLM puts the provider before it. */
const MODEL = `${ID}(?:/${ID})*`;
const COMPLETIONS = "chat/completions|completions|embeddings";
const CALLS = `${COMPLETIONS}|moderations|ocr|images/(?:generations|edits|variations)|audio/(?:speech|transcriptions|translations)`;

/**
 * LiteLLM's model routes that run a model, all by POST. Below `openai/` LiteLLM passes every path that it does not know
 * to OpenAI with the platform's key, so only the known ones are here and in `FREE_ROUTES`.
 */
const SPENDING_ROUTES: readonly RegExp[] = [
  route(`(?:v1/)?(?:${CALLS}|messages|search(?:/${ID})?|videos(?:/${ID}/remix)?)`),
  route("(?:(?:openai/)?v1/)?responses(?:/compact)?"),
  route("(?:v[12]/)?rerank"),
  route(`openai/deployments/${MODEL}/(?:${COMPLETIONS}|images/(?:generations|edits))`),
  route(`engines/${MODEL}/(?:${COMPLETIONS})`),
  route(`(?:v1beta/)?models/${MODEL}:(?:generateContent|streamGenerateContent)`),
  route("(?:v1beta/)?interactions"),
];

/** Routes that count tokens, cancel what runs, or read or delete what is paid for. Any other route is left out. */
const FREE_ROUTES: readonly (readonly [method: string, path: RegExp])[] = [
  ["POST", route("(?:v1/)?messages/count_tokens")],
  ["POST", route("(?:v1/)?responses/input_tokens")],
  ["POST", route("utils/token_counter")],
  ["POST", route(`(?:v1beta/)?models/${MODEL}:countTokens`)],
  ["POST", route(`(?:(?:openai/)?v1/)?responses/${ID}/cancel`)],
  ["POST", route(`(?:v1beta/)?interactions/${ID}/cancel`)],
  ["GET", route(`(?:v1/)?(?:models(?:/${MODEL})?|videos/${ID}(?:/content)?)`)],
  ["GET", route(`(?:(?:openai/)?v1/)?responses/${ID}(?:/input_items)?`)],
  ["GET", route(`(?:v1beta/)?interactions/${ID}`)],
  ["DELETE", route(`(?:(?:openai/)?v1/)?responses/${ID}`)],
  ["DELETE", route(`(?:v1beta/)?interactions/${ID}`)],
];

const MESSAGES = route("(?:v1/)?messages(?:/count_tokens)?");
const MODELS = route("(?:v1/)?models");

/**
 * Request headers that Gate drops: hop-by-hop headers, headers that claim the client's address, a browser's (Gate
 * answers for CORS), and the one that would switch off the callback that reports the call to Bursar.
 */
const DROPPED_REQUEST_HEADERS =
  /^(?:cf-.*|x-forwarded-.*|forwarded|x-real-ip|true-client-ip|cdn-loop|cookie|origin|access-control-request-.*|host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|content-length|accept-encoding|sec-.*|x-litellm-disable-callbacks)$/;

/**
 * Headers of LiteLLM's answer that Gate drops. `llm_provider-*` are the provider's and would expose the platform's
 * account.
 */
const DROPPED_RESPONSE_HEADERS =
  /^(?:set-cookie|vary|access-control-.*|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(?:encoding|length)|server|alt-svc|x-request-id|x-litellm-model-api-base|llm_provider-.*)$/;

/** The path after `/llm`, decoded once and without empty segments; null when it cannot be decoded. */
export function plainPath(pathname: string): string | null {
  try {
    return decodeURIComponent(pathname)
      .replace(/\/{2,}/g, "/")
      .replace(/\/$/, "")
      .replace(/^\/llm/, "");
  } catch {
    return null;
  }
}

/** Whose errors the agent's SDK reads. As in LiteLLM, `anthropic-version` marks Anthropic's on the list of models. */
export function envelopeOf(path: string | null, headers: Headers): Envelope {
  const isAnthropics = MESSAGES.test(path ?? "") || (MODELS.test(path ?? "") && headers.has("anthropic-version"));
  return isAnthropics ? "anthropic" : "openai";
}

/** The methods that Gate forwards for a path; empty when it forwards none. HEAD goes with GET. */
export function methodsOf(path: string): string[] {
  if (isSpending(path)) return ["POST"];
  const methods = FREE_ROUTES.filter(([, pattern]) => pattern.test(path)).map(([method]) => method);
  return methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
}

/** Whether LiteLLM charges for a call of this path. The methods of a path are all free, or POST alone. */
export function isSpending(path: string): boolean {
  return SPENDING_ROUTES.some((pattern) => pattern.test(path));
}

export function headersFor(key: string, requestId: string, agents: Headers): Headers {
  const headers = without(agents, (name, value) => {
    // LiteLLM can be configured to read a key from other headers.
    return DROPPED_REQUEST_HEADERS.test(name) || KEY_HEADERS.includes(name) || holdsVirtualKey(value);
  });
  headers.set("authorization", `Bearer ${key}`);
  headers.set("x-request-id", requestId);
  return headers;
}

export function queryFor(agents: URLSearchParams): string {
  const kept = [...agents].filter(([name, value]) => name !== KEY_QUERY && !holdsVirtualKey(value));
  return kept.length === 0 ? "" : `?${new URLSearchParams(kept)}`;
}

/** `fetch` has decompressed the body, so the encoding headers are dropped. */
export function headersBack(litellms: Headers): Headers {
  return without(litellms, (name) => DROPPED_RESPONSE_HEADERS.test(name));
}

function without(headers: Headers, isOut: (name: string, value: string) => boolean): Headers {
  return new Headers([...headers].filter(([name, value]) => !isOut(name, value)));
}

function route(pattern: string): RegExp {
  return new RegExp(`^/${pattern}$`);
}
