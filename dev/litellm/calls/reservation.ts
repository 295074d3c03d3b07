// Budget reservations: while a call runs, newer versions count what it may cost at most against the budgets of its key
// and its team. Must never change spend; the call is charged when it ends.

import { type Caller, refuseByReservation } from "../auth.ts";
import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import type { KeyView, TeamView } from "../state/memory.ts";
import { COMPLETION_TOKENS } from "./completion.ts";

/** LiteLLM's assumption for a call without max_tokens. */
const ASSUMED_TOKENS = 16_384;

/**
 * Reserves at most what is left of each budget above 0. Returns a function that ends the reservation; it may run twice.
 * @throws LitellmError when nothing is left of one of them.
 */
export function reserve(caller: Caller, body: Body, cost: number, behaviour: Behaviour): () => void {
  if (!behaviour.reservesBudget || caller.kind === "admin") return () => {};
  const { key, team } = caller;
  const wanted = atMost(body, cost);
  const budgeted = [key, team].filter((one) => one !== null).filter((one) => (one.maxBudget ?? 0) > 0);
  const spent = wanted > 0 ? budgeted.find((one) => leftOf(one) <= 0) : undefined;
  if (spent !== undefined) refuseByReservation(spent, wanted, behaviour);
  let reserved = Math.max(0, Math.min(wanted, ...budgeted.map((one) => leftOf(one))));
  for (const one of budgeted) one.reserved += reserved;
  return () => {
    for (const one of budgeted) one.reserved -= reserved;
    reserved = 0;
  };
}

function leftOf({ maxBudget, spend, reserved }: KeyView | TeamView): number {
  return maxBudget === null ? Number.POSITIVE_INFINITY : maxBudget - spend - reserved;
}

/** The simulator's calls have a cost instead of a price; a token costs its share of it. */
function atMost(body: Body, cost: number): number {
  const sent = body["max_completion_tokens"] ?? body["max_tokens"];
  const tokens = typeof sent === "number" ? sent : ASSUMED_TOKENS;
  return (cost / COMPLETION_TOKENS) * Math.max(COMPLETION_TOKENS, tokens);
}
