// Prints the benchmark's results as tables and writes them as JSON.

import { writeFileSync } from "node:fs";
import Table from "cli-table3";
import type { Figures } from "../rounds.ts";

/** A missed target is about speed or size and fails nothing. A case that gets a wrong answer throws instead. */
export interface Row {
  readonly group: string;
  readonly name: string;
  readonly figures: Readonly<Record<string, string>>;
  readonly target?: { readonly text: string; readonly met: boolean };
}

export const ms = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(1));
const ratio = (value: number): string => `${value.toFixed(2)}x`;

/** The cells of a row that is compared with a baseline. */
export function latencyCells({ p50Ms, p95Ms, p99Ms, perSecond, p50Ratio, p95Ratio }: Figures): Row["figures"] {
  return {
    "p50 ms": ms(p50Ms),
    "p95 ms": ms(p95Ms),
    "p99 ms": ms(p99Ms),
    "per s": perSecond.toFixed(0),
    "p50 ratio": ratio(p50Ratio),
    "p95 ratio": ratio(p95Ratio),
  };
}

export function printRows(rows: readonly Row[]): void {
  for (const group of new Set(rows.map((row) => row.group))) {
    const members = rows.filter((row) => row.group === group);
    const columns = [...new Set(members.flatMap((row) => Object.keys(row.figures)))];
    const table = new Table({
      head: ["", ...columns, "target"],
      colAligns: ["left", ...columns.map(() => "right" as const), "left"],
      style: { head: [], border: [], compact: true },
    });
    table.push(...members.map((row) => [row.name, ...columns.map((each) => row.figures[each] ?? ""), targetText(row)]));
    console.log(`\n${group}\n${table}`);
  }
}

export function writeResults(file: string, results: unknown): void {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

function targetText({ target }: Row): string {
  return target === undefined ? "" : `${target.text}: ${target.met ? "met" : "MISSED"}`;
}
