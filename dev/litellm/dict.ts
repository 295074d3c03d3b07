// What Python calls a dict, as JSON brings it.

export type Body = Record<string, unknown>;

export function isDict(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
