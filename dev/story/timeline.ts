// Prints the story while it runs: time, action, outcome, and the Worker's own response time. Independent of budgets.

import { styleText } from "node:util";

export interface Timeline {
  /** Prints one step. `edgeMs`: the Worker's own response time, if it answered. */
  addStep(action: string, outcome: string, edgeMs?: number | null): void;
  /** Prints a line of detail below the last step. */
  addDetail(text: string): void;
}

export function startTimeline(begunAt: number): Timeline {
  return {
    addStep(action, outcome, edgeMs = null) {
      const seconds = ((Date.now() - begunAt) / 1_000).toFixed(1).padStart(5);
      const edge = edgeMs === null ? "" : styleText("dim", `  edge ${edgeMs} ms`);
      console.log(`${styleText("dim", `${seconds} s`)}  ${action.padEnd(32)} ${outcome}${edge}`);
    },
    addDetail(text) {
      console.log(`${" ".repeat(9)}${styleText("dim", text)}`);
    },
  };
}
