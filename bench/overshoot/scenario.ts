// The scenarios of the overshoot simulation, and the bound of each. Pure: no time passes here.

import { behaviourOf } from "../../dev/litellm/profiles.ts";
import { freshForMs } from "../../src/budget/freshness.ts";
import { aSpendRecord, aTenantConfig, NOW, usd } from "../../test/budget/builders.ts";

/** How calls are refused: by Ask, Guard, Gate or LiteLLM alone. A stream's headers have the spend before the call. */
export type Endpoint = "ask" | "guard" | "gate" | "gate_streamed" | "none";

export interface Scenario {
  readonly endpoint: Endpoint;
  /** US dollars a second, all agents together. */
  readonly spendRate: number;
  readonly isolates: number;
  readonly pods: number;
  /** How LiteLLM counts: its profile in `dev/litellm`. */
  readonly litellm: "1.81" | "1.110";
  readonly agents: number;
  /** LiteLLM refuses by itself, at the same block threshold. */
  readonly litellmEnforces: boolean;
  /** `silence`: no agent spends for ten minutes, then all start at once, half a minute before the block threshold. */
  readonly start: "steady" | "silence";
  readonly seed: number;
}

/** US dollars. Large, so that 1 % of it takes long at a slow spend rate and little time at a fast one. */
export const MAX_BUDGET = 5_000;
export const BLOCKS_AT = 5_500;

/** The duration of a model call, uniformly distributed. */
export const CALL_SECONDS = { min: 2, max: 6 } as const;
const CALL_MEAN_SECONDS = (CALL_SECONDS.min + CALL_SECONDS.max) / 2;
/** A call costs the mean, plus or minus up to this share of it. */
export const COST_SPREAD = 0.5;

/** The headers of a stream arrive with its first chunk. */
export const FIRST_CHUNK_SECONDS = 1;

export function meanCost({ spendRate, agents }: Pick<Scenario, "spendRate" | "agents">): number {
  return (spendRate * CALL_MEAN_SECONDS) / agents;
}

/** Agents set `max_tokens` so that a reservation is this many times the mean cost of a call. */
export const RESERVED_COSTS = 4;

/** LiteLLM writes its database every 10 s, or later. It sends reports every 5 s. A pod caches a key for 60 s. */
export function databaseSeconds({ litellm }: Pick<Scenario, "litellm">): {
  readonly min: number;
  readonly max: number;
} {
  const { min, max } = behaviourOf(litellm).databaseDelayMs;
  return { min: min / 1_000, max: max / 1_000 };
}
export const REPORT_SECONDS = 5;
export const POD_CACHE_SECONDS = 60;

/** The spend queue fills a batch for 1 s, and its consumer takes about 0.2 s. */
export const QUEUE_SECONDS = 1.2;

/** A colo answers from its copy of KV for 30 s, and sees a write of another colo up to 30 s late. */
export const KV_COPY_SECONDS = 30;
export const KV_ELSEWHERE_SECONDS = 30;

/** An isolate reads KV again after 2 s (`MEMORY_MS` of load-tenant). */
const MEMORY_SECONDS = 2;
/** An isolate asks Redis for the colo's read once a second at most (`CLAIM_SECONDS` of refresh-tenant). */
const CLAIM_SECONDS = 1;
/** The age of spend at which a colo reads LiteLLM: near the block threshold, and far below it without a spend rate. */
const READ_SECONDS = freshSeconds(BLOCKS_AT);
const UNSUSPECTED_SECONDS = freshSeconds(0);

function freshSeconds(spentUsd: number): number {
  const config = aTenantConfig({ maxBudgetNanoUsd: usd(String(MAX_BUDGET)) });
  const record = aSpendRecord({ spendNanoUsd: usd(String(spentUsd)), spendRateNanoUsdPerSecond: 0n });
  return freshForMs(config, record, NOW) / 1_000;
}

/** How often the consumer writes unchanged spend to KV (see spend-cadence). */
const SNAPSHOT_SECONDS = 15;

/** How long a sudden rise stays unseen: until the next read, or until the counted spend arrives through KV. */
const UNSEEN_SECONDS = Math.min(UNSUSPECTED_SECONDS, SNAPSHOT_SECONDS + KV_ELSEWHERE_SECONDS);

export const COLOS = ["FRA", "IAD", "SIN"] as const;

/** LiteLLM runs in one region, so Guard runs in one colo. The agents use all colos if each has an isolate. */
export function colosOf({ endpoint, isolates }: Pick<Scenario, "endpoint" | "isolates">): readonly string[] {
  return endpoint === "guard" || isolates < COLOS.length ? COLOS.slice(0, 1) : COLOS;
}

/**
 * How many seconds after the crossing of the block threshold calls may still be allowed: the age of the newest spend
 * that the last isolate can hold. It is a sum of waits, each at its worst.
 */
export function blindSeconds(scenario: Scenario): number {
  const { endpoint, pods } = scenario;
  const databaseMax = databaseSeconds(scenario).max;
  if (endpoint === "none") return pods === 1 ? 0 : POD_CACHE_SECONDS + databaseMax;
  // All calls go through the one isolate, which adds the cost of each at its end.
  if (endpoint === "gate" && scenario.isolates === 1) return 0;
  // Postgres counts a call when LiteLLM reports it, and an isolate that reads LiteLLM takes the counted spend from
  // Postgres.
  const counted = Math.min(databaseMax, REPORT_SECONDS + QUEUE_SECONDS);
  const hasOthers = scenario.isolates > colosOf(scenario).length;
  // The isolate that reads knows the spend at once. Near the block threshold the colo's other isolates take what it has
  // left in Redis; far below it they know the spend when their copy of KV expires.
  if (scenario.start === "steady") return counted + READ_SECONDS + (hasOthers ? CLAIM_SECONDS : 0);
  return counted + UNSEEN_SECONDS + (hasOthers ? KV_COPY_SECONDS + MEMORY_SECONDS : 0);
}

/** The highest cost of all calls in flight at one moment, in US dollars. */
export function inFlight(scenario: Pick<Scenario, "spendRate" | "agents">): number {
  return scenario.agents * meanCost(scenario) * (1 + COST_SPREAD);
}

/** Bursar and LiteLLM both refuse calls, so the shorter blind time counts. */
function blindSecondsOfBoth(scenario: Scenario): number {
  const alone = blindSeconds({ ...scenario, endpoint: "none" });
  if (scenario.endpoint === "none" || !scenario.litellmEnforces) return blindSeconds(scenario);
  return Math.min(alone, blindSeconds(scenario));
}

/**
 * The most that may be spent past the block threshold, in US dollars: the calls in flight, and the spend of the blind
 * time. `spendRate` is the highest that was measured.
 */
export function boundOf(
  scenario: Scenario,
  spendRate: number,
): { readonly blindSeconds: number; readonly usd: number } {
  const seconds = blindSecondsOfBoth(scenario);
  return { blindSeconds: seconds, usd: inFlight(scenario) + spendRate * seconds };
}
