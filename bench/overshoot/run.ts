// `npm run bench:overshoot`: how far past the blocking line a tenant's agents get. Ends with 1 when any run goes past its
// bound. `--check` plays fewer seeds and leaves the plot alone. No network, no real time: every run is the same again.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { overshootChart } from "./overshoot-chart.ts";
import { type Played, play } from "./play.ts";
import { type Endpoint, observationOf, type Scenario } from "./scenario.ts";

const PLOT = fileURLToPath(new URL("../../docs/img/overshoot.svg", import.meta.url));

const SEEDS = [1, 2, 3, 4, 5];
const CHECKED_SEEDS = [1];

type Case = Omit<Scenario, "seed">;

const USUAL: Case = { door: "ask", spendRate: 1, isolates: 12, pods: 1, litellmEnforces: false, start: "steady" };
const DOORS: readonly Endpoint[] = ["ask", "guard", "gate", "gate_streamed"];
const ALONE: Case = { ...USUAL, door: "none", litellmEnforces: true };

const GROUPS: readonly { readonly title: string; readonly cases: readonly Case[] }[] = [
  {
    title: "Steady, one LiteLLM",
    cases: [
      ALONE,
      ...DOORS.flatMap((door) => [1, 4, 12].map((isolates) => ({ ...USUAL, door, isolates }))),
      { ...USUAL, litellmEnforces: true },
    ],
  },
  {
    title: "Slower and faster",
    cases: [0.1, 10].flatMap((spendRate) => [
      { ...ALONE, spendRate },
      ...DOORS.map((door) => ({ ...USUAL, door, spendRate })),
    ]),
  },
  {
    title: "Four LiteLLMs that share nothing but the database",
    cases: fourPods("steady"),
  },
  {
    title: "Out of ten minutes of silence",
    cases: [
      { ...ALONE, start: "silence" },
      ...DOORS.map((door): Case => ({ ...USUAL, door, start: "silence" })),
      ...fourPods("silence"),
    ],
  },
];

function fourPods(start: Scenario["start"]): Case[] {
  const both = (["ask", "gate"] as const).map((door) => ({ ...USUAL, door, litellmEnforces: true }));
  const cases = [ALONE, ...DOORS.map((door) => ({ ...USUAL, door })), ...both];
  return cases.map((each) => ({ ...each, pods: 4, start }));
}

const PLOTTED: readonly { readonly legend: string; readonly scenario: Case }[] = [
  { legend: "Gate", scenario: { ...USUAL, door: "gate" } },
  { legend: "Ask", scenario: USUAL },
  { legend: "LiteLLM alone, four pods", scenario: { ...ALONE, pods: 4 } },
];

const { options } = readCommandLine(
  defineCommand({
    name: "npm run bench:overshoot --",
    description: "Simulates how far past its block threshold a tenant's agents spend. Writes docs/img/overshoot.svg.",
    exitCodes: { 0: "every run stayed within its bound", 1: "a run exceeded its bound" },
  }).option("--check", "play one seed per case, and do not write the plot"),
);
const seeds = options.check ? CHECKED_SEEDS : SEEDS;

let exceeded = 0;
console.log(
  "| who refuses | burn $/s | isolates | pods | past the line | seconds of burn | last call let through | bound |",
);
console.log("|---|---|---|---|---|---|---|---|");
for (const { title, cases } of GROUPS) {
  console.log(`| **${title}** | | | | | | | |`);
  for (const each of cases) await printCase(each);
}
if (!options.check) await writePlot();
if (exceeded > 0) console.error(`${exceeded} runs went past their bound`);
process.exitCode = exceeded === 0 ? 0 : 1;

async function printCase(each: Case): Promise<void> {
  const runs: { readonly played: Played; readonly bound: ReturnType<typeof observationOf> }[] = [];
  for (const seed of seeds) {
    const scenario = { ...each, seed };
    const played = await play(scenario);
    const bound = observationOf(scenario, played.fastestSpendRate);
    if (played.overshoot > bound.usd) {
      exceeded++;
      console.error(`${nameOf(each)}, seed ${seed}: $${played.overshoot.toFixed(2)} past the line, bound ${bound.usd}`);
    }
    runs.push({ played, bound });
  }
  const worst = Math.max(...runs.map(({ played }) => played.overshoot));
  const last = Math.max(...runs.map(({ played }) => played.lastCallSeconds));
  const bound = Math.max(...runs.map((run) => run.bound.usd));
  const isolates = each.door === "none" ? "–" : each.isolates;
  const cells = [nameOf(each), each.spendRate, isolates, each.pods, usd(worst), (worst / each.spendRate).toFixed(1)];
  console.log(`| ${[...cells, `${last.toFixed(1)} s`, usd(bound)].join(" | ")} |`);
}

function nameOf({ door, litellmEnforces }: Case): string {
  const names: Readonly<Record<Endpoint, string>> = {
    ask: "Ask",
    guard: "Guard",
    gate: "Gate",
    gate_streamed: "Gate, streams",
    none: "LiteLLM alone",
  };
  return door !== "none" && litellmEnforces ? `${names[door]} and LiteLLM` : names[door];
}

async function writePlot(): Promise<void> {
  const series: { legend: string; samples: Played["samples"] }[] = [];
  for (const { legend, scenario } of PLOTTED) {
    series.push({ legend, samples: (await play({ ...scenario, seed: 1 })).samples });
  }
  mkdirSync(dirname(PLOT), { recursive: true });
  writeFileSync(PLOT, overshootChart(series, "50 agents spend $1 a second, 12 isolates in three colos"));
}

function usd(amount: number): string {
  return `$${amount.toFixed(2)}`;
}
