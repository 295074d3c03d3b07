// The filters that the lists of the admin API share, and how a list reads its query: a filter is sent once, and one
// that the list does not know is refused, because ignoring it would show more than the caller asked for.

import type { Context } from "hono";
import * as z from "zod";
import { failure, type Result, success } from "../../ports/result.ts";
import type { AppEnv } from "../app-env.ts";
import { dateTime, fieldErrors } from "../fields.ts";
import type { FieldError } from "../problem.ts";

/** The rows from `since`, inclusive, up to `until`, exclusive. */
export const timeRange = { since: dateTime.optional(), until: dateTime.optional() };

/** One of the values, which the error names. */
export const choiceOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, `must be one of ${values.join(", ")}`);

export function queryFrom<T>(c: Context<AppEnv>, schema: z.ZodType<T>): Result<T, readonly FieldError[]> {
  const repeated = Object.entries(c.req.queries()).filter(([, values]) => values.length > 1);
  if (repeated.length > 0) return failure(repeated.map(([field]) => ({ field, message: "must be sent once" })));
  const query = schema.safeParse(c.req.query());
  return query.success ? success(query.data) : failure(fieldErrors(query.error));
}
