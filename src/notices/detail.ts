// Reads fields of an alert's detail. Many come from outside, so a field of the wrong type is omitted.

import type { AlertDetail } from "../budget/alert.ts";
import type { Instant } from "../budget/instant.ts";
import { type NanoUsd, nanoUsdFromDecimal, nanoUsdFromNumber, usdNumber } from "../budget/money.ts";
import { cut, oneLine } from "./sanitize.ts";

/** Longer reasons are cut; the admin API shows them whole. */
const MAX_TEXT = 300;

/** Date.parse alone accepts far too much. */
const DATE = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:?\d{2}))?$/;

export function moneyOf(detail: Readonly<Record<string, unknown>> | null, field: string): NanoUsd | null {
  const value = detail?.[field];
  return typeof value === "string" ? nanoUsdFromDecimal(value) : nanoUsdFromNumber(value);
}

/**
 * Fields that hold an amount: decimal strings in Postgres, which are exact, and numbers in JSON. Alerts of earlier
 * releases have `projected_spend`.
 */
const AMOUNTS = ["override_amount", "spend", "cost", "spend_before", "spend_after", "projected_spend"];

/** The detail of an alert or of an audit line as JSON, its amounts as numbers. Null where an amount cannot be read. */
export function detailJson<T>(detail: Readonly<Record<string, T>> | null): Record<string, T | number | null> {
  const amounts = AMOUNTS.filter((field) => detail?.[field] !== undefined).map((field) => {
    const amount = moneyOf(detail, field);
    return [field, amount === null ? null : usdNumber(amount)] as const;
  });
  return { ...detail, ...Object.fromEntries(amounts) };
}

export function textOf(detail: AlertDetail | null, field: string): string | null {
  const value = detail?.[field];
  const line = typeof value === "string" ? oneLine(value) : null;
  return line === null ? null : cut(line, MAX_TEXT);
}

export function dateOf(detail: AlertDetail | null, field: string): Instant | null {
  const value = detail?.[field];
  const instant = typeof value === "string" && DATE.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(instant) ? null : instant;
}
