// The counting rule, played against LiteLLM's behaviour: never above LiteLLM's count, exact once traffic rests.

import { describe, expect, it } from "vitest";
import { largest, usd } from "./builders.ts";
import { type Scenario, simulate } from "./counting-simulation.ts";

/** `npm run counting` plays 120. */
const SEEDS = Number(process.env["COUNTING_SEEDS"] ?? 20);

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "plain traffic": {},
  "continuous traffic": { isBusy: true },
  "long calls": { long: 0.1 },
  "5 % of the events lost": { lost: 0.05, isBusy: true },
  "5 % of the events minutes late": { late: 0.05, isBusy: true },
  "reads recorded late": { readLate: 0.3 },
  "reads of two seconds": { slowReadMs: 2_000 },
  "clocks 3 s apart": { skewMs: 3_000 },
  "clocks 3 s apart, continuous": { skewMs: 3_000, isBusy: true },
  "calls in two batches": { again: 0.02, isBusy: true },
  "a correction by hand": { correction: "any" },
  "a correction by hand, continuous": { correction: "any", isBusy: true },
  "a small correction by hand, continuous": { correction: "small", isBusy: true },
  "LiteLLM's reset": { scheduledReset: true },
  "LiteLLM's reset, slow reads, clocks apart": { scheduledReset: true, slowReadMs: 2_000, skewMs: 3_000 },
  "Bursar's reset": { ownReset: true, readLate: 0.3 },
  "no callback": { hasNoCallback: true },
  "no callback and a correction": { hasNoCallback: true, correction: "any" },
  "a database that stalls for two minutes": { databaseStalls: true, isBusy: true },
  "everything at once": {
    ...{ lost: 0.03, late: 0.03, long: 0.05, again: 0.02, skewMs: 3_000, slowReadMs: 2_000, readLate: 0.2 },
    ...{ scheduledReset: true, correction: "any", ownReset: true },
  },
};

const seeds = Array.from({ length: SEEDS }, (_, seed) => seed);

describe.each(Object.entries(SCENARIOS))("with %s", (_, scenario) => {
  const outcomes = seeds.map((seed) => simulate(seed, scenario));

  it("never counts more than LiteLLM will", () => {
    expect(outcomes.map(({ overNanoUsd }) => overNanoUsd)).toEqual(seeds.map(() => 0n));
  });

  it("counts exactly what LiteLLM counts once traffic rests", () => {
    expect(outcomes.map(({ missingNanoUsd }) => missingNanoUsd)).toEqual(seeds.map(() => 0n));
  });

  it("stays behind by no more than the events' delay, or by the reads' interval without events", () => {
    const lag = outcomes.reduce((sum, { meanLagSeconds }) => sum + meanLagSeconds, 0) / seeds.length;
    expect(lag).toBeLessThan(scenario.hasNoCallback === true ? 45 : 20);
  });

  it("lowers the spend within a period only after a change by hand, and then within 200 s", () => {
    const { correction, ownReset } = scenario;
    if (correction === undefined && ownReset !== true)
      expect(outcomes.map(({ falls }) => falls)).toEqual(seeds.map(() => 0));
    expect(Math.max(...outcomes.map(({ fellAfterMs }) => fellAfterMs))).toBeLessThan(200_000);
  });
});

describe("with clocks 6 s apart, continuous", () => {
  const outcomes = seeds.map((seed) => simulate(seed, { skewMs: 6_000, isBusy: true }));

  it("counts too much by no more than the spend of the seconds beyond 3 s", () => {
    expect(largest(outcomes.map(({ overNanoUsd }) => overNanoUsd))).toBeLessThanOrEqual(usd("6"));
  });

  it("counts exactly what LiteLLM counts once traffic rests", () => {
    expect(outcomes.map(({ missingNanoUsd }) => missingNanoUsd)).toEqual(seeds.map(() => 0n));
  });
});
