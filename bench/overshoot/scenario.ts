// What is played of the overshoot, and how far past the line each of it may go. Decides only: no time passes here.

import { freshForMs } from "../../src/budget/freshness.ts";
import { aSpendRecord, aTenantConfig, NOW, usd } from "../../test/budget/builders.ts";

/** What refuses calls: Ask, Guard or Gate, or LiteLLM alone. The headers of a stream show the spend before it. */
export type Endpoint = "ask" | "guard" | "gate" | "gate_streamed" | "none";

export interface Scenario {
  readonly door: Endpoint;
  /** US dollars a second, of all agents together. */
  readonly spendRate: number;
  readonly isolates: number;
  readonly pods: number;
  /** LiteLLM refuses by itself, at the same line. */
  readonly litellmEnforces: boolean;
  /** `silence`: no agent spends for ten minutes, then all start at once, half a minute before the block threshold. */
  readonly start: "steady" | "silence";
  readonly seed: number;
}

export const AGENTS = 50;

/** US dollars. Large, so that 1 % of it takes long at a slow spend rate and little time at a fast one. */
export const MAX_BUDGET = 5_000;
export const BLOCKS_AT = 5_500;

/** A model call lasts so long, any length alike; and costs the mean, give or take half of it. */
export const CALL_SECONDS = { min: 2, max: 6 } as const;
const CALL_MEAN_SECONDS = (CALL_SECONDS.min + CALL_SECONDS.max) / 2;
export const COST_SPREAD = 0.5;

/** The headers of a stream come with its first piece. */
export const FIRST_PIECE_SECONDS = 1;

export function meanCost({ spendRate }: Pick<Scenario, "spendRate">): number {
  return (spendRate * CALL_MEAN_SECONDS) / AGENTS;
}

/** LiteLLM's: its database is written every 10 s and up to 5 s later, its reports go out every 5 s, a pod's key is kept for 60 s. */
export const DATABASE_SECONDS = { min: 10, max: 15 } as const;
export const REPORT_SECONDS = 5;
export const POD_CACHE_SECONDS = 60;

/** The spend queue gathers for a second, and its consumer takes a moment. */
export const QUEUE_SECONDS = 1.2;

/** KV: a colo answers from its copy for so long; what was written elsewhere is fetched as late as that again. */
export const KV_COPY_SECONDS = 30;
export const KV_ELSEWHERE_SECONDS = 30;

/** An isolate looks at KV again after 2 s (`MEMORY_MS` of load-tenant). */
const MEMORY_SECONDS = 2;
/** How old spend may get in a colo before it reads: near the block threshold, and without a known spend rate. */
const READ_SECONDS = freshSeconds(BLOCKS_AT);
const UNSUSPECTED_SECONDS = freshSeconds(0);

function freshSeconds(spentUsd: number): number {
  const config = aTenantConfig({ maxBudgetNanoUsd: usd(String(MAX_BUDGET)) });
  const record = aSpendRecord({ spendNanoUsd: usd(String(spentUsd)), spendRateNanoUsdPerSecond: 0n });
  return freshForMs(config, record, NOW) / 1_000;
}

/** How often unchanged spend goes to KV (see spend-cadence). */
const SNAPSHOT_SECONDS = 15;

export const COLOS = ["FRA", "IAD", "SIN"] as const;

/** LiteLLM stands in one region, so Guard is asked in one colo; agents are in all three, as soon as there are isolates for them. */
export function colosOf({ door, isolates }: Pick<Scenario, "door" | "isolates">): readonly string[] {
  return door === "guard" || isolates < COLOS.length ? COLOS.slice(0, 1) : COLOS;
}

/**
 * How long after the block threshold is crossed calls may still pass: the age of the newest spend that the last
 * isolate can hold. Seconds; a sum of waits, each at its worst.
 */
export function blindSeconds(scenario: Scenario): number {
  const { door, pods } = scenario;
  // The first call that an isolate passes beyond the threshold shows it the spend in LiteLLM: an answer at its end, a
  // stream at its start. Isolates may be late one after another, each with its own part of the spend rate.
  if (pods === 1 && door === "gate") return CALL_SECONDS.max;
  if (pods === 1 && door === "gate_streamed") return FIRST_PIECE_SECONDS;
  if (door === "none") return pods === 1 ? 0 : POD_CACHE_SECONDS + DATABASE_SECONDS.max;
  // One LiteLLM's reports hold all that was spent when the call began; of several, each knows its own part.
  const reported = CALL_SECONDS.max + REPORT_SECONDS + QUEUE_SECONDS;
  const bound = pods === 1 ? Math.min(DATABASE_SECONDS.max, reported) : DATABASE_SECONDS.max;
  const hasOthers = scenario.isolates > colosOf(scenario).length;
  // The isolate that reads knows at once; the others of its colo when the copy of KV has run out.
  const told = hasOthers ? KV_COPY_SECONDS + MEMORY_SECONDS : 0;
  return bound + (scenario.start === "steady" ? READ_SECONDS : unsuspected(scenario)) + told;
}

/** Until a rise that nothing foretold is seen: by a read, or in KV by what the reports have said. */
function unsuspected({ pods }: Scenario): number {
  const throughKv = SNAPSHOT_SECONDS + KV_ELSEWHERE_SECONDS;
  return pods === 1 ? Math.min(UNSUSPECTED_SECONDS, throughKv) : UNSUSPECTED_SECONDS;
}

/** What all of them can cost that are let through at one moment. US dollars. */
export function inFlight(scenario: Pick<Scenario, "spendRate">): number {
  return AGENTS * meanCost(scenario) * (1 + COST_SPREAD);
}

/** Both stop calls, each by what it knows: the sooner of them counts. */
function blindSecondsOfBoth(scenario: Scenario): number {
  const alone = blindSeconds({ ...scenario, door: "none" });
  if (scenario.door === "none" || !scenario.litellmEnforces) return blindSeconds(scenario);
  return Math.min(alone, blindSeconds(scenario));
}

/**
 * The most that may be spent beyond the block threshold, in US dollars: the calls in flight, and the spend of the blind
 * time. `burn` is the highest spend rate that was measured.
 */
export function observationOf(
  scenario: Scenario,
  spendRate: number,
): { readonly blindSeconds: number; readonly usd: number } {
  const seconds = blindSecondsOfBoth(scenario);
  return { blindSeconds: seconds, usd: inFlight(scenario) + spendRate * seconds };
}
