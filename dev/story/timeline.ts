// Prints the story as it happens: when, what, what it led to, and what the edge itself took. Knows nothing of budgets.

import { styleText } from "node:util";

export interface Timeline {
  /** A line of the story; `edgeMs` is the edge's own time, where it answered. */
  tell(what: string, outcome: string, edgeMs?: number | null): void;
  /** A line below the last one. */
  add(text: string): void;
}

export function startTimeline(begunAt: number): Timeline {
  return {
    tell(what, outcome, edgeMs = null) {
      const seconds = ((Date.now() - begunAt) / 1_000).toFixed(1).padStart(5);
      const edge = edgeMs === null ? "" : styleText("dim", `  edge ${edgeMs} ms`);
      console.log(`${styleText("dim", `${seconds} s`)}  ${what.padEnd(32)} ${outcome}${edge}`);
    },
    add(text) {
      console.log(`${" ".repeat(9)}${styleText("dim", text)}`);
    },
  };
}
