// Turns an answer of the query engine into the form that prisma-client-py reads.
// Must never change a value, only its notation.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Removes the engine's type tags: `{"$type":"DateTime","value":"2026-…"}` becomes `"2026-…"`. prisma-client-py knows
 * each type from the schema.
 */
export function withoutTags(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutTags);
  if (!isObject(value)) return value;
  const { $type: type, value: tagged } = value;
  if (typeof type === "string" && tagged !== undefined) return type === "BigInt" ? wholeNumber(String(tagged)) : tagged;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutTags(inner)]));
}

/** prisma-client-py calls every operation `result`. The rows of raw SQL keep their tags: it reads those itself. */
export function clientAnswer(answer: JsonObject): JsonObject {
  const { batchResult, data } = answer;
  if (Array.isArray(batchResult)) {
    return { batchResult: batchResult.map((one) => (isObject(one) ? clientAnswer(one) : one)) };
  }
  const [first] = isObject(data) ? Object.entries(data) : [];
  if (first === undefined) return answer;
  const [operation, result] = first;
  return { data: { result: operation === "queryRaw" ? result : withoutTags(result) } };
}

/** JSON numbers are exact up to 2^53 only; a larger one stays text. */
function wholeNumber(text: string): Json {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}
