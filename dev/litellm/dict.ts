// JSON objects, which LiteLLM parses into Python dicts.

export type Body = Record<string, unknown>;

export function isDict(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
