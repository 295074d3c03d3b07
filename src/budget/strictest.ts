// Which of several verdicts counts: a key's tenant may sit inside a team's tenant, and a call needs both to allow it.
// Pure.

import type { State, Verdict } from "./verdict.ts";

/** From lenient to strict. Unknown spend says nothing, so that a known state counts before it. */
const STATES: readonly State[] = ["unknown", "ok", "warning", "grace", "blocked"];

/** A refusal counts before any allowance, then the higher state; of equal ones the first. */
export function strictest<A extends { readonly verdict: Verdict }>(first: A, ...others: readonly A[]): A {
  return others.reduce((strict, other) => (isStricter(other.verdict, strict.verdict) ? other : strict), first);
}

function isStricter(a: Verdict, b: Verdict): boolean {
  if (a.allowed !== b.allowed) return b.allowed;
  return STATES.indexOf(a.state) > STATES.indexOf(b.state);
}
