// The field types of LiteLLM's reports. Tolerates absent fields, strict about money and identifiers.

import * as z from "zod";
import type { Instant } from "../../budget/instant.ts";
import { nanoUsdFromNumber } from "../../budget/money.ts";

/**
 * A hundred messages with two of them, however encoded, fit the 256 KB that Queues take at once. LiteLLM's have up to
 * 64.
 */
const MAX_TEXT = 200;

const KEY_HASH = /^[0-9a-f]{64}$/i;

/** Postgres stores neither NUL nor lone surrogates, so no identifier of a tenant contains them. */
export const shortText = z
  .string()
  .max(MAX_TEXT)
  .refine((text) => text.isWellFormed() && !text.includes("\0"), "must be Unicode text without NUL");

/** Null when it is absent or empty. */
export const identifier = shortText.nullish().transform((text) => text || null);

/** What LiteLLM calls the token: as it is stored, in lower case. */
export const keyHash = identifier.transform((hash) =>
  hash !== null && KEY_HASH.test(hash) ? hash.toLowerCase() : hash,
);

const NO_MONEY = "must be a number of US dollars";

/** US dollars; can be negative. */
export const reportedMoney = z.number(NO_MONEY).transform((usd, context) => {
  const amount = nanoUsdFromNumber(usd);
  if (amount !== null) return amount;
  context.addIssue(NO_MONEY);
  return z.NEVER;
});

/** LiteLLM writes instants with `Z`, with an offset, or naive: then it means UTC. Null when it is none. */
export function instantFrom(text: string): Instant | null {
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/.test(text);
  const instant = Date.parse(hasZone ? text : `${text}Z`);
  return instant >= 0 ? instant : null;
}
