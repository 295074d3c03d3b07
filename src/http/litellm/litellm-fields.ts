// The field types of LiteLLM's reports. Strict about money; any other field of an unexpected form reads as absent, so
// that one odd field does not lose the amount beside it.

import * as z from "zod";
import type { Instant } from "../../budget/instant.ts";
import { type NanoUsd, nanoUsdFromNumber, nanoUsdRoundedDown } from "../../budget/money.ts";
import { holdsVirtualKey } from "../../wire/key-hash.ts";

/**
 * A message with fifty calls and fifty hints, each with one of these, fits the 128 KB of Queues. LiteLLM's have up to
 * 64.
 */
const MAX_TEXT = 200;

/** Postgres stores neither NUL nor lone surrogates, so no identifier of a tenant contains them. */
export const shortText = z
  .string()
  .max(MAX_TEXT)
  .refine((text) => text.isWellFormed() && !text.includes("\0"), "must be Unicode text without NUL");

/** Null when it is absent or empty, or a virtual key by mistake. */
export const identifier = shortText.nullish().transform((text) => (text && !holdsVirtualKey(text) ? text : null));

/** Null also when it cannot be an identifier of a tenant, such as a text that is too long. */
export const reportedIdentifier = identifier.catch(null);

/** The last instant that a Date can hold. */
const MAX_SECONDS = 8.64e12;

const NO_MONEY = "must be a number of US dollars";

const amountOf = (convert: (usd: unknown) => NanoUsd | null) =>
  z.number(NO_MONEY).transform((usd, context) => {
    const amount = convert(usd);
    if (amount !== null) return amount;
    context.addIssue(NO_MONEY);
    return z.NEVER;
  });

/** US dollars; can be negative. */
export const reportedMoney = amountOf(nanoUsdFromNumber);

/** The cost of one call, in US dollars; can be negative. */
export const reportedCost = amountOf(nanoUsdRoundedDown);

/** Seconds since 1970 as a number or as text, or an instant as text. Null when it is none of them. */
export function instantOrNull(written: unknown): Instant | null {
  const seconds = typeof written === "string" && written.trim() !== "" ? Number(written) : written;
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_SECONDS) return Math.floor(seconds * 1_000);
  return typeof written === "string" ? instantFrom(written) : null;
}

/** LiteLLM writes instants with `Z`, with an offset, or naive: then it means UTC. Null when it is none. */
function instantFrom(text: string): Instant | null {
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/.test(text);
  const instant = Date.parse(hasZone ? text : `${text}Z`);
  return instant >= 0 ? instant : null;
}
