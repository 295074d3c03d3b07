// The overshoot simulation: a seed reproduces a run, and the bounds are those that docs/performance.md derives.

import { expect, it } from "vitest";
import { play } from "../../bench/overshoot/play.ts";
import { blindSeconds, boundOf, inFlight, type Scenario } from "../../bench/overshoot/scenario.ts";

const aScenario = (differences: Partial<Scenario> = {}): Scenario => ({
  endpoint: "ask",
  spendRate: 1,
  isolates: 4,
  pods: 1,
  litellm: "1.81",
  agents: 50,
  litellmEnforces: false,
  start: "steady",
  seed: 1,
  ...differences,
});

it("gives the same run for the same seed, and another run for another seed", async () => {
  const [once, again, other] = [await play(aScenario()), await play(aScenario()), await play(aScenario({ seed: 2 }))];
  expect(again).toEqual(once);
  expect(other.overshoot).not.toBe(once.overshoot);
});

it("exceeds every bound when nothing refuses", async () => {
  const scenario = aScenario({ endpoint: "none" });
  const { overshoot, fastestSpendRate } = await play(scenario);
  expect(overshoot).toBeGreaterThan(boundOf({ ...scenario, endpoint: "ask" }, fastestSpendRate).usd);
});

it("overshoots by the calls in flight with LiteLLM alone, and with Gate in one isolate", async () => {
  for (const endpoint of ["none", "gate"] as const) {
    const { overshoot } = await play(aScenario({ endpoint, isolates: 1, litellmEnforces: endpoint === "none" }));
    expect(overshoot).toBeGreaterThan(0);
    expect(overshoot).toBeLessThan(inFlight({ spendRate: 1, agents: 50 }));
  }
});

it.each(["ask", "guard", "gate"] as const)(
  "%s: stays within the same bound with LiteLLM 1.110, whose spend beside a call is old",
  async (endpoint) => {
    const scenario = aScenario({ endpoint, litellm: "1.110" });
    const { overshoot, fastestSpendRate } = await play(scenario);
    const { usd, blindSeconds: blind } = boundOf(scenario, fastestSpendRate);
    expect(blind).toBe(blindSeconds({ ...scenario, litellm: "1.81" }));
    expect(overshoot).toBeLessThan(usd);
  },
);

it("reserves what calls may cost with LiteLLM 1.110, so that it overshoots less", async () => {
  const alone = aScenario({ endpoint: "none", litellmEnforces: true, litellm: "1.110" });
  const [reserved, exact] = [await play(alone), await play({ ...alone, litellm: "1.81" })];
  expect(reserved.overshoot).toBeLessThan(exact.overshoot);
});

it("bounds the overshoot by the sooner of two that refuse", () => {
  const alone = aScenario({ endpoint: "none", litellmEnforces: true });
  const both = aScenario({ litellmEnforces: true });
  expect(boundOf(both, 1)).toEqual(boundOf(alone, 1));
  expect(boundOf({ ...both, pods: 4 }, 1)).toEqual(boundOf(aScenario({ pods: 4 }), 1));
});

it("bounds the overshoot by the calls in flight and the spend rate until the spend is known", () => {
  expect(blindSeconds(aScenario({ isolates: 1 }))).toBeCloseTo(5 + 1.2 + 5);
  expect(blindSeconds(aScenario({ isolates: 4 }))).toBeCloseTo(5 + 1.2 + 5 + 1);
  expect(blindSeconds(aScenario({ isolates: 4, start: "silence" }))).toBeCloseTo(5 + 1.2 + 45 + 32);
  expect(boundOf(aScenario({ endpoint: "gate", isolates: 1 }), 2)).toEqual({ blindSeconds: 0, usd: 6 });
});
