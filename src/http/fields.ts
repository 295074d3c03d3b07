// What every route does with a body: is it JSON, and which of its fields are wrong. Owns the kinds of fields that several
// resources have.

import * as z from "zod";
import type { Instant } from "../budget/instant.ts";
import { nanoUsdFromNumber, usdNumber } from "../budget/money.ts";
import type { TenantId } from "../budget/tenant.ts";
import { positionOf } from "../wire/page-cursor.ts";
import type { FieldError } from "./problem.ts";
import { TENANT_ID } from "./tenant-id.ts";

const MAX_USD = 1e9;
const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

const DATE_TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Refused rather than rounded: 1e-10 would become a budget of zero. */
export const money = z
  .number()
  .min(0)
  .max(MAX_USD)
  .transform((usd, context) => {
    const amount = nanoUsdFromNumber(usd);
    if (amount !== null && usdNumber(amount) === usd) return amount;
    context.addIssue("at most nine decimals");
    return z.NEVER;
  });

/** A text that means something else; `message` where `read` says null. */
export const readBy = <T>(read: (text: string) => T | null, message: string) =>
  z.string().transform((text, context): T => {
    const value = read(text);
    if (value !== null) return value;
    context.addIssue(message);
    return z.NEVER;
  });

/** An instant, as people write it. */
export const dateTime = readBy(dateTimeFrom, "must be ISO 8601 with its offset, such as 2026-12-01T00:00:00Z");

/** A name for people: one line, which also becomes part of subjects of e-mails. */
export const shortName = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}*$/u, "must not hold control characters");

export const tenantId = z
  .string()
  .regex(TENANT_ID, "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit")
  .transform((id) => id as TenantId);

/** How many rows of a list are wanted, from the query. */
export const pageSize = z
  .string()
  .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${MAX_PAGE}`)
  .transform(Number)
  .default(DEFAULT_PAGE)
  .pipe(z.number().min(1).max(MAX_PAGE));

/** Where a list goes on, in lists that go from the newest on. */
export const pageCursor = z
  .string()
  .refine((text) => positionOf(text) !== null, "must be the next_cursor of the page before");

/** Null when it is none. `Date.parse` alone reads 31 February as 3 March, and texts of every kind. */
function dateTimeFrom(text: string): Instant | null {
  const day = DATE_TIME.exec(text)?.[1];
  const instant = day === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(instant) || !new Date(`${day}T00:00Z`).toISOString().startsWith(`${day}T`) ? null : instant;
}

/** `undefined` when it is not JSON, which no JSON ever is. */
export function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One line per field that is wrong, unknown ones included. */
export function fieldErrors(error: z.core.$ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((field) => ({ field, message: "unknown field" }));
    return [{ field: issue.path.join("."), message: issue.message }];
  });
}
