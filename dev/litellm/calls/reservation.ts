// Budget reservations: while a call runs, newer versions count what it may cost at most against its key's budget.
// Must never change spend; the call is charged when it ends.

import type { Caller } from "../auth.ts";
import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import { COMPLETION_TOKENS } from "./completion.ts";

/** LiteLLM's assumption for a call without max_tokens. */
const ASSUMED_TOKENS = 16_384;

/** Reserves at most what is left of the budget. Returns a function that ends the reservation; it may run twice. */
export function reserve(caller: Caller, body: Body, cost: number, { reservesBudget }: Behaviour): () => void {
  if (!reservesBudget || caller.kind === "admin" || caller.key.maxBudget === null) return () => {};
  const { key } = caller;
  const left = caller.key.maxBudget - key.spend - key.reserved;
  let reserved = Math.max(0, Math.min(left, atMost(body, cost)));
  key.reserved += reserved;
  return () => {
    key.reserved -= reserved;
    reserved = 0;
  };
}

/** The simulator's calls have a cost instead of a price; a token costs its share of it. */
function atMost(body: Body, cost: number): number {
  const sent = body["max_completion_tokens"] ?? body["max_tokens"];
  const tokens = typeof sent === "number" ? sent : ASSUMED_TOKENS;
  return (cost / COMPLETION_TOKENS) * Math.max(COMPLETION_TOKENS, tokens);
}
