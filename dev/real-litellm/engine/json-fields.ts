// Tags the values of JSON columns. In GraphQL such a value is a string like any other, and only the schema tells which
// field is a JSON column.

import { isObject, type Json, type JsonObject } from "./answers.ts";

/** Of each model: the type of each field, as the schema names it. */
export type Models = ReadonlyMap<string, ReadonlyMap<string, string>>;

export function modelsIn(schema: string): Models {
  const models = new Map<string, Map<string, string>>();
  for (const [, name = "", body = ""] of schema.matchAll(/^model\s+(\w+)\s*\{([\s\S]*?)^\}/gm)) {
    const fields = [...body.matchAll(/^\s*(\w+)\s+(\w+)/gm)].map(([, field = "", type = ""]) => [field, type] as const);
    models.set(name, new Map(fields));
  }
  return models;
}

/** The operators of a filter or an update whose operands are JSON too; the others have paths and modes. */
const JSON_OPERANDS = new Set([
  "set",
  "equals",
  "not",
  "push",
  "array_contains",
  "array_starts_with",
  "array_ends_with",
  "lt",
  "lte",
  "gt",
  "gte",
]);

/** Follows relations: the fields of a nested write belong to the related model. */
export function withTaggedJson(value: JsonObject, modelName: string | undefined, models: Models): JsonObject {
  return tagIn(value, modelName, models) as JsonObject;
}

function tagIn(value: Json, modelName: string | undefined, models: Models): Json {
  if (Array.isArray(value)) return value.map((one) => tagIn(one, modelName, models));
  if (!isObject(value)) return value;
  const fields = modelName === undefined ? undefined : models.get(modelName);
  const entries = Object.entries(value).map(([name, inner]): [string, Json] => {
    const type = fields?.get(name);
    if (type === "Json") return [name, tagged(inner)];
    return [name, tagIn(inner, type !== undefined && models.has(type) ? type : modelName, models)];
  });
  return Object.fromEntries(entries);
}

function tagged(value: Json): Json {
  if (typeof value === "string") return { $type: "Json", value };
  if (Array.isArray(value)) return value.map(tagged);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, inner]): [string, Json] => [
    name,
    JSON_OPERANDS.has(name) ? tagged(inner) : inner,
  ]);
  return Object.fromEntries(entries);
}
