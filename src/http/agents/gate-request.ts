// What of an agent's request goes on to LiteLLM: which paths, whose key, which headers. What is matched is what is sent,
// and no second key gets through. Decides only.

/** A model, a deployment or an id: one segment, and never `..`. */
const ID = "[\\w-][\\w.:@-]*";
const CALLS =
  "chat/completions|completions|embeddings|moderations|images/(?:generations|edits|variations)|audio/(?:speech|transcriptions|translations)";

/** LiteLLM's routes of models. What manages keys, teams, files or anything else is not among them. */
const ROUTES: readonly (readonly [method: string, path: RegExp])[] = [
  ["POST", route(`(?:v1/)?(?:${CALLS}|messages(?:/count_tokens)?|responses(?:/compact|/${ID}/cancel)?)`)],
  ["POST", route("(?:v[12]/)?rerank")],
  ["POST", route(`(?:openai/deployments|engines)/${ID}/(?:${CALLS})`)],
  ["POST", route(`(?:v1beta/)?models/${ID}:(?:generateContent|streamGenerateContent|countTokens)`)],
  ["GET", route(`(?:v1/)?(?:models(?:/${ID})?|responses/${ID}(?:/input_items)?)`)],
  ["DELETE", route(`(?:v1/)?responses/${ID}`)],
];

/** Where LiteLLM looks for a key, in its own order. */
const KEY_HEADERS = [
  "x-litellm-api-key",
  "authorization",
  "api-key",
  "x-api-key",
  "x-goog-api-key",
  "ocp-apim-subscription-key",
];
const KEY_QUERY = "key";

const KEY = /^(?:Bearer +)?(?!Bearer *$)([\x21-\x7e]+) *$/i;

/** LiteLLM can be told of further headers that hold a key: wherever one stands, it is not passed on. */
const HOLDS_KEY = /\bsk-/;

/**
 * What is between two neighbours only, what a proxy may believe of where a request came from, and what would keep a call
 * from the callback that tells Bursar of it.
 */
const NOT_PASSED_ON =
  /^(?:cf-.*|x-forwarded-.*|forwarded|x-real-ip|true-client-ip|cdn-loop|cookie|host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|content-length|accept-encoding|sec-.*|x-litellm-disable-callbacks)$/;

/** Of LiteLLM's answer. `llm_provider-*` are the provider's own, and the platform's business. */
const NOT_PASSED_BACK =
  /^(?:set-cookie|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(?:encoding|length)|server|alt-svc|x-request-id|x-litellm-model-api-base|llm_provider-.*)$/;

/** The path behind `/llm`, decoded once and without empty segments; null when it cannot be decoded. */
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

/** Which methods a path may be called with; none when it is not passed on. */
export function methodsOf(path: string): string[] {
  return ROUTES.filter(([, pattern]) => pattern.test(path)).map(([method]) => method);
}

/** The agent's key: the first of several, as LiteLLM itself would take it. Null when there is none. */
export function keyIn(headers: Headers, query: URLSearchParams): string | null {
  for (const candidate of [...KEY_HEADERS.map((name) => headers.get(name)), query.get(KEY_QUERY)]) {
    const key = KEY.exec(candidate ?? "")?.[1];
    if (key !== undefined) return key;
  }
  return null;
}

export function headersFor(key: string, requestId: string, agents: Headers): Headers {
  const headers = without(agents, (name, value) => {
    return NOT_PASSED_ON.test(name) || KEY_HEADERS.includes(name) || HOLDS_KEY.test(value);
  });
  headers.set("authorization", `Bearer ${key}`);
  headers.set("x-request-id", requestId);
  return headers;
}

export function queryFor(agents: URLSearchParams): string {
  const kept = [...agents].filter(([name, value]) => name !== KEY_QUERY && !HOLDS_KEY.test(value));
  return kept.length === 0 ? "" : `?${new URLSearchParams(kept)}`;
}

/** What was compressed on its way here is not any more. */
export function headersBack(litellms: Headers): Headers {
  return without(litellms, (name) => NOT_PASSED_BACK.test(name));
}

function without(headers: Headers, isOut: (name: string, value: string) => boolean): Headers {
  return new Headers([...headers].filter(([name, value]) => !isOut(name, value)));
}

function route(pattern: string): RegExp {
  return new RegExp(`^/${pattern}$`);
}
