// The field types that several resources share, with the words for each mistake. Parses nothing by itself.

import * as z from "zod";
import type { Instant } from "../budget/instant.ts";
import { nanoUsdFromNumber, usdNumber } from "../budget/money.ts";
import type { TenantId } from "../budget/tenant.ts";
import { holdsVirtualKey } from "../wire/key-hash.ts";
import { positionOf } from "../wire/page-cursor.ts";
import { TENANT_ID } from "./tenant-id.ts";

const MAX_USD = 1e9;
const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

const DATE_TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

const NO_MONEY = "must be a number of US dollars, such as 500 or 12.50";

/** A double keeps every number of 15 digits, and not every one of 16: JSON.parse has rounded it already. */
const EXACT_DIGITS = 15;

/** Refuses what would not come back as it was sent, instead of rounding: 1e-10 would become a budget of zero. */
export const money = z
  .number(NO_MONEY)
  .min(0, "must be 0 or more US dollars, such as 500 or 12.50")
  .max(MAX_USD, `must be at most ${MAX_USD}`)
  .transform((usd, context) => {
    const amount = nanoUsdFromNumber(usd);
    const digits = usd.toExponential().replace(/e.*$|\D/g, "").length;
    if (amount !== null && usdNumber(amount) === usd && digits <= EXACT_DIGITS) return amount;
    context.addIssue(digits > EXACT_DIGITS ? "must have at most 15 digits" : "must have at most nine decimals");
    return z.NEVER;
  });

/** A text that `read` converts; `message` is the error where it returns null. */
export const readBy = <T>(read: (text: string) => T | null, message: string) =>
  z.string(message).transform((text, context): T => {
    const value = read(text);
    if (value !== null) return value;
    context.addIssue(message);
    return z.NEVER;
  });

/** An instant in ISO 8601 with its offset. */
export const dateTime = readBy(dateTimeFrom, "must be ISO 8601 with its offset, such as 2026-12-01T00:00:00Z");

export const NO_KEY = "must not hold a virtual key (sk-…)";

/** Stores, the audit and notices would keep a key that is sent in another field by mistake. */
export const isKeyless = (text: string) => !holdsVirtualKey(text);

/** One line of at most `length` characters, for people: it becomes part of notices and of the audit. */
export const lineOfText = (length: number) => {
  const message = `must be a string of 1 to ${length} characters`;
  return z
    .string(message)
    .trim()
    .min(1, message)
    .max(length, message)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not hold control characters or line breaks")
    .refine(isKeyless, NO_KEY);
};

/** A display name: one line, because it becomes part of subjects of e-mails. */
export const shortName = lineOfText(200);

/** Why a change is made, for the audit: a field of every body, `?reason=` of every DELETE. */
export const reason = lineOfText(500);

/** The body of a change without fields of its own, and the query of every DELETE. */
export const reasonBody = z.strictObject({ reason: reason.optional() });

/** The query of a call that takes none. */
export const emptyQuery = z.strictObject({});

const NO_TENANT_ID = "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit";

export const tenantId = z
  .string(NO_TENANT_ID)
  .regex(TENANT_ID, NO_TENANT_ID)
  .transform((id) => id as TenantId);

const NO_PAGE_SIZE = `must be a whole number from 1 to ${MAX_PAGE}`;

/** The number of rows of a page, from the query. */
export const pageSize = z
  .string(NO_PAGE_SIZE)
  .regex(/^\d{1,3}$/, NO_PAGE_SIZE)
  .transform(Number)
  .default(DEFAULT_PAGE)
  .pipe(z.number().min(1, NO_PAGE_SIZE).max(MAX_PAGE, NO_PAGE_SIZE));

/** For a cursor that no page has named. */
export const NO_CURSOR = "must be the next_cursor of the previous page";

/** The cursor of a list that begins with the newest row. */
export const pageCursor = z.string(NO_CURSOR).refine((text) => positionOf(text) !== null, NO_CURSOR);

/** `since` and `until` of a list, from the query: `since` <= instant < `until`. */
export const timeRange = { since: dateTime.optional(), until: dateTime.optional() };

/** Null when the text is no instant. `Date.parse` alone reads 31 February as 3 March, and accepts other formats. */
function dateTimeFrom(text: string): Instant | null {
  const day = DATE_TIME.exec(text)?.[1];
  const instant = day === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(instant) || !new Date(`${day}T00:00Z`).toISOString().startsWith(`${day}T`) ? null : instant;
}
