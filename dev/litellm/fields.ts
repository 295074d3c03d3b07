// Checks request bodies like LiteLLM's models: a wrong type is a 422, unknown fields are dropped silently.
// Must never reject a value that LiteLLM accepts: LiteLLM accepts "12" as a number, and any text as a duration.

import { type Body, isDict } from "./dict.ts";
import { type FieldIssue, validationError } from "./errors.ts";

type FieldType = "string" | "number" | "boolean" | "dict" | "list" | "datetime";
/** Field name → type; a trailing "!" makes the field mandatory. */
export type FieldTypes = Record<string, FieldType | `${FieldType}!`>;

/**
 * Returns the known fields that the body contains; an explicit null stays null.
 * @throws LitellmError 422 that lists every issue.
 */
export function checkFields(body: unknown, types: FieldTypes): Body {
  if (body === null) throw validationError([{ type: "missing", loc: ["body"], msg: "Field required", input: null }]);
  if (!isDict(body)) {
    const msg = "Input should be a valid dictionary or object to extract fields from";
    throw validationError([{ type: "model_attributes_type", loc: ["body"], msg, input: body }]);
  }
  const issues: FieldIssue[] = [];
  const fields: Body = {};
  for (const [name, declared] of Object.entries(types)) {
    const mandatory = declared.endsWith("!");
    const type = declared.replace("!", "") as FieldType;
    const value = body[name];
    if (value === undefined) {
      if (mandatory) issues.push({ type: "missing", loc: ["body", name], msg: "Field required", input: body });
      continue;
    }
    const issue = value === null && !mandatory ? null : issueOf(value, type);
    if (issue === null) fields[name] = type === "number" && value !== null ? Number(value) : value;
    else issues.push({ ...issue, loc: ["body", name], input: value });
  }
  if (issues.length > 0) throw validationError(issues);
  return fields;
}

/** ISO 8601 with or without a zone, or a date. Captures the zone, because LiteLLM cannot compare an expiry with one. */
export const DATETIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?$/;

function issueOf(value: unknown, type: FieldType): Pick<FieldIssue, "type" | "msg" | "ctx"> | null {
  switch (type) {
    case "string":
      return typeof value === "string" ? null : { type: "string_type", msg: "Input should be a valid string" };
    case "number":
      return numberIssue(value);
    case "boolean":
      if (typeof value === "boolean" || value === "true" || value === "false") return null;
      return { type: "bool_parsing", msg: "Input should be a valid boolean, unable to interpret input" };
    case "dict":
      return isDict(value) ? null : { type: "dict_type", msg: "Input should be a valid dictionary" };
    case "list":
      return Array.isArray(value) ? null : { type: "list_type", msg: "Input should be a valid list" };
    case "datetime": {
      if (typeof value === "string" && DATETIME.test(value)) return null;
      const reason = "invalid character in year";
      return {
        type: "datetime_from_date_parsing",
        msg: `Input should be a valid datetime or date, ${reason}`,
        ctx: { error: reason },
      };
    }
  }
}

function numberIssue(value: unknown): Pick<FieldIssue, "type" | "msg"> | null {
  if (typeof value === "number" || typeof value === "boolean") return null;
  if (typeof value !== "string") return { type: "float_type", msg: "Input should be a valid number" };
  if (value.trim() !== "" && Number.isFinite(Number(value))) return null;
  const msg = "Input should be a valid number, unable to parse string as a number";
  return { type: "float_parsing", msg };
}
