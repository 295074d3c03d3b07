// The bar of a notice: full up to the limit, hatched above it, with a mark at the limit and one where requests are
// blocked. It ends at the block threshold or at the spend, whichever is higher, so 170 % does not look like 110 %.

import { type BasisPoints, WHOLE } from "../budget/money.ts";
import type { BudgetSnapshot } from "./budget-snapshot.ts";

export interface BarPart {
  /** `limit` and `block` are marks without a width. */
  readonly kind: "full" | "over" | "empty" | "limit" | "block";
  /** Share of the whole bar; all of them together are `WHOLE`. */
  readonly share: BasisPoints;
}

/** A higher spend fills the bar: the mark at the limit would be too near to its beginning to be seen. */
const MAX_END: BasisPoints = 40_000n;

const CELLS = 20n;

const CHARACTERS: Readonly<Record<BarPart["kind"], string>> = {
  full: "█",
  over: "▒",
  empty: "░",
  limit: "│",
  block: "┃",
};

/** Null when the limit is zero, and no share of it can be shown. */
export function barOf({ used, block }: BudgetSnapshot): BarPart[] | null {
  if (used === null) return null;
  const blocksAt = block?.threshold ?? WHOLE;
  const end = least(most(used, blocksAt), MAX_END);
  const spent = least(used, end);
  const edges = [...new Set([spent, WHOLE, blocksAt, end])].sort((a, b) => Number(a - b));
  const parts: BarPart[] = [];
  let from = 0n;
  for (const edge of edges) {
    const share = (edge * WHOLE) / end - (from * WHOLE) / end;
    const kind = edge > spent ? "empty" : from < WHOLE ? "full" : "over";
    if (share > 0n) parts.push({ kind, share });
    if (edge === WHOLE && block?.threshold !== WHOLE) parts.push({ kind: "limit", share: 0n });
    if (edge === block?.threshold) parts.push({ kind: "block", share: 0n });
    from = edge;
  }
  return parts;
}

/** For channels that show only text: `███████████████░░░│░░┃`. */
export function barText(parts: readonly BarPart[]): string {
  let before = 0n;
  let cells = 0n;
  const texts = parts.map(({ kind, share }) => {
    before += share;
    // What is over the limit is visible, however little it is.
    const upTo = kind === "over" ? most((before * CELLS) / WHOLE, cells + 1n) : (before * CELLS) / WHOLE;
    const count = share === 0n ? 1n : most(upTo - cells, 0n);
    if (share > 0n) cells = most(upTo, cells);
    return CHARACTERS[kind].repeat(Number(count));
  });
  return texts.join("");
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
