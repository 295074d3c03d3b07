// What every route does with a body: is it JSON, and which of its fields are wrong. Owns the kinds of fields that several
// resources have.

import { en } from "zod/locales";
import * as z from "zod/mini";
import type { Instant } from "../budget/instant.ts";
import { nanoUsdFromNumber, usdNumber } from "../budget/money.ts";
import type { TenantId } from "../budget/tenant.ts";
import { positionOf } from "../wire/page-cursor.ts";
import type { FieldError } from "./problem.ts";
import { TENANT_ID } from "./tenant-id.ts";

// zod/mini has no words of its own.
z.config(en());

const MAX_USD = 1e9;
const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

const DATE_TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Refused rather than rounded: 1e-10 would become a budget of zero. */
export const money = z.pipe(
  z.number().check(z.gte(0), z.lte(MAX_USD)),
  z.transform((usd: number, context) => {
    const amount = nanoUsdFromNumber(usd);
    if (amount !== null && usdNumber(amount) === usd) return amount;
    context.issues.push({ code: "custom", input: usd, message: "at most nine decimals" });
    return z.NEVER;
  }),
);

/** A text that means something else; `message` where `read` says null. */
export const readBy = <T>(read: (text: string) => T | null, message: string) =>
  z.pipe(
    z.string(),
    z.transform((text: string, context): T => {
      const value = read(text);
      if (value !== null) return value;
      context.issues.push({ code: "custom", input: text, message });
      return z.NEVER;
    }),
  );

/** An instant, as people write it. */
export const dateTime = readBy(dateTimeFrom, "must be ISO 8601 with its offset, such as 2026-12-01T00:00:00Z");

/** A name for people: one line, which also becomes part of subjects of e-mails. */
export const shortName = z
  .string()
  .check(z.trim(), z.minLength(1), z.maxLength(200), z.regex(/^\P{Cc}*$/u, "must not hold control characters"));

export const tenantId = z.pipe(
  z
    .string()
    .check(
      z.regex(
        TENANT_ID,
        "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit",
      ),
    ),
  z.transform((id: string) => id as TenantId),
);

/** How many rows of a list are wanted, from the query. */
export const pageSize = z.pipe(
  z._default(
    z.pipe(z.string().check(z.regex(/^\d{1,3}$/, `must be a whole number from 1 to ${MAX_PAGE}`)), z.transform(Number)),
    DEFAULT_PAGE,
  ),
  z.number().check(z.gte(1), z.lte(MAX_PAGE)),
);

/** Where a list goes on, in lists that go from the newest on. */
export const pageCursor = z
  .string()
  .check(z.refine((text) => positionOf(text) !== null, "must be the next_cursor of the page before"));

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
