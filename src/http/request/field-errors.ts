// The words of invalid fields: one map from zod's issues to what the caller has to do. A schema's own message precedes
// the map, except that a missing field is always said to be missing. Decides only.

import type * as z from "zod";
import type { FieldError } from "../problem.ts";

/** For `safeParse` of everything that a caller sends. */
export const IN_OUR_WORDS = { error: wordsFor } as const;

const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "an array",
  object: "a JSON object",
  record: "a JSON object",
};

function wordsFor(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${TYPES[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${oneOf(issue.values)}`;
    case "too_small":
      return `must ${boundOf(issue.origin, "at least", Number(issue.minimum))}`;
    case "too_big":
      return `must ${boundOf(issue.origin, "at most", Number(issue.maximum))}`;
    case "invalid_union":
      return Array.isArray(issue["options"]) ? `must be ${oneOf(issue["options"])}` : "has the wrong type";
    case "invalid_key":
    case "invalid_element":
      return "has a key or entry that is not allowed";
    default:
      return "has the wrong format";
  }
}

const UNITS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ["character", "characters"],
  array: ["entry", "entries"],
};

function boundOf(origin: string, bound: string, count: number): string {
  const unit = UNITS[origin];
  return unit === undefined ? `be ${bound} ${count}` : `have ${bound} ${count} ${unit[count === 1 ? 0 : 1]}`;
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map(String);
  const last = words.pop() ?? "";
  return words.length === 0 ? last : `${words.join(", ")} or ${last}`;
}

/** One error for each invalid, missing or unknown field of `value`, which `schema` has refused. */
export function fieldErrors(error: z.core.$ZodError, schema: z.core.$ZodType, value: unknown): FieldError[] {
  if (error.issues.some(({ code, path }) => code === "invalid_type" && path.length === 0)) {
    return [{ field: "", message: notAnObject(value) }];
  }
  return error.issues.flatMap((issue) => {
    const field = issue.path.join(".");
    if (issue.code === "unrecognized_keys") {
      const known = knownFields(schema, value, issue.path);
      return issue.keys.map((key) => ({ field: [...issue.path, key].join("."), message: unknownField(key, known) }));
    }
    const isMissing = issue.code !== "custom" && issue.path.length > 0 && valueAt(value, issue.path) === undefined;
    if (isMissing) return [{ field, message: "must be sent" }];
    return [{ field, message: issue.message }];
  });
}

function notAnObject(value: unknown): string {
  const kind = value === null ? "null" : Array.isArray(value) ? "an array" : (TYPES[typeof value] ?? typeof value);
  return `The body must be a JSON object, not ${kind}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
}

function unknownField(key: string, known: readonly string[]): string {
  const near = known.find((name) => distance(key.toLowerCase(), name) <= Math.min(2, Math.floor(name.length / 3)));
  return near === undefined ? "unknown field" : `unknown field; did you mean ${near}?`;
}

/** The names of the object's fields at `path`. */
function knownFields(schema: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  const { def } = schema._zod as unknown as { def: Record<string, unknown> };
  const inner = (def["innerType"] ?? def["in"]) as z.core.$ZodType | undefined;
  if (inner !== undefined) return knownFields(inner, value, path);
  if (def["type"] === "union") {
    const options = def["options"] as readonly z.core.$ZodType[];
    const fitting = options.filter((option) => fits(option, def["discriminator"] as string, value));
    return fitting.flatMap((option) => knownFields(option, value, path));
  }
  if (def["type"] !== "object") return [];
  const shape = def["shape"] as Readonly<Record<string, z.core.$ZodType>>;
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(shape);
  const part = shape[String(key)];
  return part === undefined ? [] : knownFields(part, valueAt(value, [key]), rest);
}

function fits(option: z.core.$ZodType, discriminator: string, value: unknown): boolean {
  const allowed = option._zod.propValues?.[discriminator];
  return allowed === undefined || allowed.has((value as Record<string, unknown>)[discriminator] as string);
}

/** The number of letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
