// Where an agent may put its virtual key: the places where LiteLLM looks for one. Ask and Gate read all of them.

/** In LiteLLM's own order. */
export const KEY_HEADERS: readonly string[] = [
  "x-litellm-api-key",
  "authorization",
  "api-key",
  "x-api-key",
  "x-goog-api-key",
  "ocp-apim-subscription-key",
];
export const KEY_QUERY = "key";

const KEY = /^(?:Bearer +)?(?!Bearer *$)([\x21-\x7e]+) *$/i;

/** The agent's key: of several the first, in LiteLLM's own order. Null when there is none. */
export function keyIn(headers: Headers, query: URLSearchParams): string | null {
  for (const candidate of [...KEY_HEADERS.map((name) => headers.get(name)), query.get(KEY_QUERY)]) {
    const key = KEY.exec(candidate ?? "")?.[1];
    if (key !== undefined) return key;
  }
  return null;
}
