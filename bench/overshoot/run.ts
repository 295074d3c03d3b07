// `npm run bench:overshoot`: simulates how far past the block threshold a tenant's agents spend. Exits with 1 when a
// run exceeds its bound. `--check` plays fewer seeds and does not write the plot. Runs are reproducible: they use
// virtual time and no network.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { overshootChart } from "./overshoot-chart.ts";
import { type Played, play } from "./play.ts";
import { boundOf, type Endpoint, type Scenario } from "./scenario.ts";

const PLOT = fileURLToPath(new URL("../../docs/img/overshoot.svg", import.meta.url));

const SEEDS = [1, 2, 3, 4, 5];
const CHECKED_SEEDS = [1];

type Case = Omit<Scenario, "seed">;

const USUAL: Case = {
  endpoint: "ask",
  spendRate: 1,
  isolates: 12,
  pods: 1,
  litellm: "1.81",
  agents: 50,
  litellmEnforces: false,
  start: "steady",
};
const ENDPOINTS: readonly Endpoint[] = ["ask", "guard", "gate", "gate_streamed"];
const ALONE: Case = { ...USUAL, endpoint: "none", litellmEnforces: true };

const GROUPS: readonly { readonly title: string; readonly cases: readonly Case[] }[] = [
  {
    title: "Steady, one LiteLLM",
    cases: [
      ALONE,
      ...ENDPOINTS.flatMap((endpoint) => [1, 4, 12].map((isolates) => ({ ...USUAL, endpoint, isolates }))),
      { ...USUAL, litellmEnforces: true },
    ],
  },
  {
    title: "Slower and faster",
    cases: [0.1, 10].flatMap((spendRate) => [
      { ...ALONE, spendRate },
      ...ENDPOINTS.map((endpoint) => ({ ...USUAL, endpoint, spendRate })),
    ]),
  },
  {
    title: "Four LiteLLM pods that share nothing but the database",
    cases: fourPods("steady"),
  },
  {
    title: "All at once after ten minutes without a call",
    cases: [
      { ...ALONE, start: "silence" },
      ...ENDPOINTS.map((endpoint): Case => ({ ...USUAL, endpoint, start: "silence" })),
      ...fourPods("silence"),
    ],
  },
  { title: "LiteLLM 1.110", cases: of110(50) },
];

/** A run takes twenty times as long as one of 50 agents. */
const CROWD = { title: "LiteLLM 1.110, 1,000 agents", cases: of110(1_000) };

/** Stale spend beside a call, reservations of calls in flight, and a database that is up to 25 s late. */
function of110(agents: number): Case[] {
  const differences = { litellm: "1.110", agents } as const;
  return [
    ALONE,
    { ...ALONE, pods: 4 },
    ...ENDPOINTS.map((endpoint) => ({ ...USUAL, endpoint })),
    ...ENDPOINTS.map((endpoint) => ({ ...USUAL, endpoint, litellmEnforces: true })),
    ...ENDPOINTS.map((endpoint): Case => ({ ...USUAL, endpoint, start: "silence" })),
  ].map((each) => ({ ...each, ...differences }));
}

function fourPods(start: Scenario["start"]): Case[] {
  const both = (["ask", "gate"] as const).map((endpoint) => ({ ...USUAL, endpoint, litellmEnforces: true }));
  const cases = [ALONE, ...ENDPOINTS.map((endpoint) => ({ ...USUAL, endpoint })), ...both];
  return cases.map((each) => ({ ...each, pods: 4, start }));
}

const PLOTTED: readonly { readonly legend: string; readonly scenario: Case }[] = [
  { legend: "Gate", scenario: { ...USUAL, endpoint: "gate" } },
  { legend: "Ask", scenario: USUAL },
  { legend: "LiteLLM alone, four pods", scenario: { ...ALONE, pods: 4 } },
];

const { options } = readCommandLine(
  defineCommand({
    name: "npm run bench:overshoot --",
    description: "Simulates how far past its block threshold a tenant's agents spend. Writes docs/img/overshoot.svg.",
    exitCodes: { 0: "every run stayed within its bound", 1: "a run exceeded its bound" },
  })
    .option("--check", "play one seed per case, and do not write the plot")
    .option("--crowd", "play only 1,000 agents with LiteLLM 1.110, one seed per case (some minutes)"),
);
const seeds = options.check || options.crowd ? CHECKED_SEEDS : SEEDS;

let exceeded = 0;
console.log(
  "| refused by | spend rate $/s | isolates | pods | overshoot | seconds of spend | last call allowed after | bound |",
);
console.log("|---|---|---|---|---|---|---|---|");
for (const { title, cases } of options.crowd ? [CROWD] : GROUPS) {
  console.log(`| **${title}** | | | | | | | |`);
  for (const each of cases) await printCase(each);
}
if (!options.check && !options.crowd) await writePlot();
if (exceeded > 0) console.error(`${exceeded} runs exceeded their bound`);
process.exitCode = exceeded === 0 ? 0 : 1;

async function printCase(each: Case): Promise<void> {
  const runs: { readonly played: Played; readonly bound: ReturnType<typeof boundOf> }[] = [];
  for (const seed of seeds) {
    const scenario = { ...each, seed };
    const played = await play(scenario);
    const bound = boundOf(scenario, played.fastestSpendRate);
    if (played.overshoot > bound.usd) {
      exceeded++;
      console.error(
        `${nameOf(each)}, seed ${seed}: overshoot $${played.overshoot.toFixed(2)}, bound $${bound.usd.toFixed(2)}`,
      );
    }
    runs.push({ played, bound });
  }
  const worst = Math.max(...runs.map(({ played }) => played.overshoot));
  const last = Math.max(...runs.map(({ played }) => played.lastCallSeconds));
  const bound = Math.max(...runs.map((run) => run.bound.usd));
  const isolates = each.endpoint === "none" ? "–" : each.isolates;
  const cells = [nameOf(each), each.spendRate, isolates, each.pods, usd(worst), (worst / each.spendRate).toFixed(1)];
  console.log(`| ${[...cells, `${last.toFixed(1)} s`, usd(bound)].join(" | ")} |`);
}

function nameOf({ endpoint, litellmEnforces }: Case): string {
  const names: Readonly<Record<Endpoint, string>> = {
    ask: "Ask",
    guard: "Guard",
    gate: "Gate",
    gate_streamed: "Gate, streams",
    none: "LiteLLM alone",
  };
  return endpoint !== "none" && litellmEnforces ? `${names[endpoint]} and LiteLLM` : names[endpoint];
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
