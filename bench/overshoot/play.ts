// Plays a scenario: agents call until they are refused, and then retry. A seed always gives the same run.

import { behaviourOf } from "../../dev/litellm/profiles.ts";
import type { Instant } from "../../src/budget/instant.ts";
import { type NanoUsd, nanoUsdFromNumber, usdNumber } from "../../src/budget/money.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import type { ModelAnswer } from "../../src/ports/ports.ts";
import { aSpendRecord, aTenantConfig, NOW } from "../../test/budget/builders.ts";
import { SeededRandom } from "../../test/support/builders/seeded-random.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../../test/support/fakes/fake-litellm.ts";
import { VirtualTimers } from "../../test/support/fakes/virtual-timers.ts";
import { budgetCrossedMessage, callsOf, Edge, type Isolate } from "./edge.ts";
import { type Begun, LiteLlmPods } from "./litellm-pods.ts";
import {
  BLOCKS_AT,
  CALL_SECONDS,
  COST_SPREAD,
  colosOf,
  FIRST_CHUNK_SECONDS,
  MAX_BUDGET,
  meanCost,
  RESERVED_COSTS,
  type Scenario,
} from "./scenario.ts";

export interface SpendSample {
  /** Seconds since the block threshold was crossed; negative before. */
  readonly atSeconds: number;
  /** US dollars past the block threshold; negative below it. */
  readonly pastThreshold: number;
}

export interface Played {
  /** US dollars past the block threshold at the end of the run. */
  readonly overshoot: number;
  /** When the last call was allowed, in seconds after the threshold was crossed. */
  readonly lastCallSeconds: number;
  /** The highest spend rate over any ten seconds, in US dollars a second. */
  readonly fastestSpendRate: number;
  readonly samples: readonly SpendSample[];
}

/** Long enough for Bursar to measure the spend rate and to finish the first reads. */
const STEADY_BEFORE_SECONDS = 120;
const SILENCE_BEFORE_SECONDS = 30;
const SILENT_SECONDS = 600;

/** Longer than the blind time of any scenario. */
const AFTER_SECONDS = 180;

/** How long a refused agent waits before it retries: as briefly as a careless client. */
const RETRY_SECONDS = 2;

/** How long LiteLLM takes to answer a read. */
const READ_MS = 30;

const FASTEST_OVER_SECONDS = 10;

const ANSWERED = {
  kind: "answered",
  status: 200,
  headers: new Headers(),
  body: null,
  costNanoUsd: null,
  isBudgetRefusal: false,
  ended: null,
} satisfies ModelAnswer;

const REFUSED_BY_LITELLM = { ...ANSWERED, status: 400, isBudgetRefusal: true };

interface Charge {
  readonly at: Instant;
  readonly spent: NanoUsd;
}

export async function play(scenario: Scenario): Promise<Played> {
  const world = new World(scenario);
  await world.run();
  return world.played();
}

class World {
  readonly #scenario: Scenario;
  readonly #timers = new VirtualTimers();
  readonly #clock = (): Instant => NOW + Math.floor(this.#timers.elapsedMs);
  readonly #random: SeededRandom;
  readonly #pods: LiteLlmPods;
  readonly #edge: Edge;
  readonly #isolates: readonly Isolate[];
  readonly #blocksAt = nanoUsd(BLOCKS_AT);
  readonly #charges: Charge[] = [];
  #lastCallAt: Instant = NOW;
  #isOver = false;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#random = new SeededRandom(scenario.seed);
    const before = scenario.start === "steady" ? STEADY_BEFORE_SECONDS : SILENCE_BEFORE_SECONDS;
    const spend = nanoUsd(BLOCKS_AT - scenario.spendRate * before);
    const config = aTenantConfig({ maxBudgetNanoUsd: nanoUsd(MAX_BUDGET) });
    const litellm = new FakeLiteLlm(this.#timers, this.#clock);
    litellm.tryMs = READ_MS;
    const setLiteLlmSpend = (database: NanoUsd) => litellm.has(rowOf(database));
    setLiteLlmSpend(spend);
    this.#edge = new Edge({
      config,
      spend: firstRecord(scenario, spend),
      litellm,
      timers: this.#timers,
      clock: this.#clock,
    });
    this.#pods = this.#litellmPods(config, spend, setLiteLlmSpend);
    const colos = colosOf(scenario);
    this.#isolates = Array.from({ length: scenario.isolates }, (_, index) =>
      this.#edge.isolateIn(colos[index % colos.length] ?? "FRA"),
    );
  }

  #litellmPods(config: TenantConfig, spend: NanoUsd, onWritten: (database: NanoUsd) => void): LiteLlmPods {
    const { pods, litellmEnforces, litellm } = this.#scenario;
    return new LiteLlmPods({
      pods,
      behaviour: behaviourOf(litellm),
      reservedNanoUsd: nanoUsd(RESERVED_COSTS * meanCost(this.#scenario)),
      blocksAt: litellmEnforces ? this.#blocksAt : null,
      spend,
      timers: this.#timers,
      clock: this.#clock,
      random: this.#random,
      onWritten,
      onReport: (calls) => this.#edge.report(callsOf(config, calls, this.#clock())),
      onBudgetCrossed: (crossing) => this.#edge.report(budgetCrossedMessage(config, crossing, this.#clock())),
    });
  }

  async run(): Promise<void> {
    this.#pods.start(() => this.#isOver);
    for (let agent = 0; agent < this.#scenario.agents; agent++) void this.#agent(agent);
    await this.#timers.pass(1_000 * (STEADY_BEFORE_SECONDS + CALL_SECONDS.max));
    while (this.#pods.spent < this.#blocksAt) await this.#timers.pass(1_000);
    await this.#timers.pass(1_000 * AFTER_SECONDS);
    this.#isOver = true;
    await this.#timers.pass(1_000 * CALL_SECONDS.max);
    const [error] = this.#edge.errors;
    if (error !== undefined) throw new Error("a flow failed during the simulation", { cause: error });
  }

  /** An agent near one colo. Each of its calls reaches a random isolate of that colo. */
  async #agent(index: number): Promise<void> {
    const colos = colosOf(this.#scenario);
    const near = this.#isolates.filter((_, isolate) => isolate % colos.length === index % colos.length);
    // Staggered, because at a steady spend rate there are calls at every stage.
    if (this.#scenario.start === "steady") await this.#pause(this.#random.next() * CALL_SECONDS.max);
    while (!this.#isOver) {
      if (!(await this.#call(this.#random.pick(near)))) await this.#pause(RETRY_SECONDS);
    }
  }

  /** False when the call was refused. */
  async #call(isolate: Isolate): Promise<boolean> {
    const { endpoint } = this.#scenario;
    if (endpoint === "gate" || endpoint === "gate_streamed") return this.#callThroughGate(isolate);
    if (endpoint === "ask" && !(await isolate.mayCall(this.#random.next()))) return false;
    const begun = this.#begin();
    if (begun === null || (endpoint === "guard" && !(await isolate.mayCall(this.#random.next())))) return false;
    await this.#finish(begun);
    return true;
  }

  async #callThroughGate(isolate: Isolate): Promise<boolean> {
    let ended: Promise<unknown> = Promise.resolve();
    const isAnswered = await isolate.forward(this.#random.next(), async () => {
      const begun = this.#begin();
      if (begun === null) return REFUSED_BY_LITELLM;
      const cost = this.#finish(begun);
      ended = cost;
      if (this.#scenario.endpoint === "gate") return { ...ANSWERED, costNanoUsd: await cost };
      await this.#pause(FIRST_CHUNK_SECONDS);
      return { ...ANSWERED, ended: cost.then(() => {}) };
    });
    await ended;
    return isAnswered;
  }

  /** Null when LiteLLM refuses the call. */
  #begin(): Begun | null {
    return this.#pods.begin(this.#random.below(this.#scenario.pods));
  }

  /** Resolves with the cost of the call at its end. */
  async #finish(begun: Begun): Promise<NanoUsd> {
    this.#lastCallAt = this.#clock();
    const { min, max } = CALL_SECONDS;
    await this.#pause(min + this.#random.next() * (max - min));
    const cost = this.#cost();
    this.#pods.finish(begun, cost);
    this.#charges.push({ at: this.#clock(), spent: this.#pods.spent });
    return cost;
  }

  #cost(): NanoUsd {
    return nanoUsd(meanCost(this.#scenario) * (1 + COST_SPREAD * (2 * this.#random.next() - 1)));
  }

  #pause(seconds: number): Promise<unknown> {
    return this.#timers.after(seconds * 1_000).passed;
  }

  played(): Played {
    const crossedAt = this.#charges.find(({ spent }) => spent >= this.#blocksAt)?.at ?? this.#clock();
    return {
      overshoot: usdNumber(this.#pods.spent - this.#blocksAt),
      lastCallSeconds: Math.max(0, (this.#lastCallAt - crossedAt) / 1_000),
      fastestSpendRate: fastestSpendRate(this.#charges),
      samples: this.#charges.map(({ at, spent }) => ({
        atSeconds: (at - crossedAt) / 1_000,
        pastThreshold: usdNumber(spent - this.#blocksAt),
      })),
    };
  }
}

/** The spend record at the start: a read just now with a steady spend rate, or a read before a long silence. */
function firstRecord({ start, spendRate }: Scenario, spendNanoUsd: NanoUsd): SpendRecord {
  if (start === "steady") return aSpendRecord({ spendNanoUsd, spendRateNanoUsdPerSecond: nanoUsd(spendRate) });
  const at = NOW - SILENT_SECONDS * 1_000;
  return aSpendRecord({ spendNanoUsd, observedAt: at, readAt: at });
}

/** A row that matches the desired state, so that no read starts a sync. */
function rowOf(database: NanoUsd) {
  const maxBudgetNanoUsd = nanoUsd(BLOCKS_AT);
  return aLiteLlmRow({
    spendNanoUsd: database,
    maxBudgetNanoUsd,
    softBudgetNanoUsd: nanoUsd(MAX_BUDGET * 0.8),
    own: { maxBudgetNanoUsd, budgetDuration: "30d" },
  });
}

function fastestSpendRate(charges: readonly Charge[]): number {
  const spanMs = FASTEST_OVER_SECONDS * 1_000;
  let first = 0;
  let fastest = 0;
  for (const { at, spent } of charges) {
    while ((charges[first]?.at ?? at) < at - spanMs) first++;
    const before = charges[first - 1]?.spent ?? charges[0]?.spent ?? spent;
    fastest = Math.max(fastest, usdNumber(spent - before) / FASTEST_OVER_SECONDS);
  }
  return fastest;
}

function nanoUsd(usd: number): NanoUsd {
  const amount = nanoUsdFromNumber(Math.round(usd * 1e9) / 1e9);
  if (amount === null) throw new Error(`not an amount: ${usd}`);
  return amount;
}
