// Reads what a caller sends: the JSON body and the query, each by a schema. A failure is the answer to give. Bodies are
// JSON whatever their Content-Type says.

import type { Context } from "hono";
import type * as z from "zod";
import { failure, type Result, success } from "../../ports/result.ts";
import type { AppEnv } from "../app-env.ts";
import { emptyQuery, reasonBody } from "../fields.ts";
import { invalidFields, problem } from "../problem.ts";
import { fieldErrors, IN_OUR_WORDS } from "./field-errors.ts";

/** `json` is what was sent. */
export interface Body<T> {
  readonly json: unknown;
  readonly fields: T;
}

/** No body is an empty object, for schemas without a required field. What takes a body takes no query. */
export async function readBody<T extends z.ZodType>(
  c: Context<AppEnv>,
  schema: T,
): Promise<Result<Body<z.output<T>>, Response>> {
  const query = readQuery(c, emptyQuery);
  if (!query.ok) return query;
  const text = await c.req.text();
  const isEmpty = text.trim() === "";
  const json = isEmpty ? {} : jsonFrom(text);
  if (json === undefined) return failure(problem(c, "malformed-json"));
  const parsed = await schema.safeParseAsync(json, IN_OUR_WORDS);
  if (parsed.success) {
    noteReason(c, parsed.data);
    return success({ json, fields: parsed.data });
  }
  if (isEmpty) return failure(problem(c, "malformed-json", { detail: "The body is empty. Send a JSON object." }));
  return failure(invalidFields(c, fieldErrors(parsed.error, schema, json)));
}

/** Refuses unknown and repeated parameters: ignoring a filter would show more than was asked for. */
export function readQuery<T extends z.ZodType>(c: Context<AppEnv>, schema: T): Result<z.output<T>, Response> {
  const repeated = Object.entries(c.req.queries()).filter(([, values]) => values.length > 1);
  if (repeated.length > 0) {
    const errors = repeated.map(([field]) => ({ field, message: "must be sent once" }));
    return failure(invalidFields(c, errors));
  }
  const query = c.req.query();
  const parsed = schema.safeParse(query, IN_OUR_WORDS);
  return parsed.success ? success(parsed.data) : failure(invalidFields(c, fieldErrors(parsed.error, schema, query)));
}

/** For DELETE, whose only field is `?reason=`. A body is refused: what it says would be lost. */
export async function readDeletion(c: Context<AppEnv>): Promise<Result<null, Response>> {
  if ((await c.req.text()).trim() !== "") return failure(invalidFields(c, [{ field: "", message: NO_BODY }]));
  const query = readQuery(c, reasonBody);
  if (!query.ok) return query;
  noteReason(c, query.value);
  return success(null);
}

const NO_BODY = "DELETE takes no body: send the reason as ?reason=…";

/** The audit keeps the reason with the line of whatever the request changes. */
function noteReason(c: Context<AppEnv>, fields: unknown): void {
  const { reason } = fields as { reason?: string };
  if (reason !== undefined) c.set("actor", { ...c.get("actor"), reason });
}

/** `undefined` when the text is not JSON. No JSON value is `undefined`. */
export function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
