// The alerts of 80, 100 and 110 % in the inbox, from the end of the call that crosses each: through LiteLLM's callback
// alone, and through Gate. Measured and printed.

import { describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/api.ts";
import { chat, DIRECT, eventTypesOf, GATE, newTenant, pause, report, spend } from "./support/product.ts";

/** Four calls are 82 %, five 102 %, six 123 %. */
const MAX_BUDGET = 1.37;
const CALLS_BELOW = 3;

const CROSSINGS = [
  ["80 %", "budget.threshold_crossed"],
  ["100 %", "budget.crossed"],
  ["110 %", "budget.blocked"],
] as const;

/**
 * LiteLLM sends call events every 5 s, and the two queues wait up to 1 s each. In traffic a read may have begun just
 * before a call ended, and a later read decides.
 */
const IN_TIME_SECONDS = 45;

/** Beyond this a notice counts as lost. */
const LOST_MS = 90_000;

/** The previous alert's events have arrived, so that each crossing is one of its own. */
const SETTLED_MS = 8_000;

describe.concurrent.each([
  ["LiteLLM directly", DIRECT],
  ["Gate", GATE],
])("an agent that calls %s", (name, baseUrl) => {
  it("its tenant's alerts of 80, 100 and 110 percent each reach the inbox in time", async () => {
    const { tenantId, key } = await newTenant({ max_budget: MAX_BUDGET });
    await spend(baseUrl, key, CALLS_BELOW);
    await pause(SETTLED_MS);
    const seconds: number[] = [];
    for (const [threshold, type] of CROSSINGS) {
      expect((await chat(baseUrl, key)).status).toBe(200);
      const crossedAt = Date.now();
      const hasCome = async () => pause(200).then(async () => (await eventTypesOf(tenantId)).includes(type));
      await eventually(hasCome, LOST_MS).catch((cause: unknown) => {
        report(`${name}: the notice of ${threshold} did not come within ${LOST_MS / 1_000} s`);
        throw cause;
      });
      const took = (Date.now() - crossedAt) / 1_000;
      report(`${name}: the notice of ${threshold} came ${took.toFixed(1)} s after its call`);
      seconds.push(took);
    }
    expect(Math.max(...seconds), `seconds: ${seconds.join(", ")}`).toBeLessThan(IN_TIME_SECONDS);
    const crossings = (await eventTypesOf(tenantId)).filter((each) => CROSSINGS.some(([, type]) => type === each));
    expect(crossings).toEqual(CROSSINGS.map(([, type]) => type));
  }, 500_000);
});
