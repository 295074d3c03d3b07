// How long after the call that crosses 80 % its notice arrives, out of quiet and in steady traffic, through LiteLLM
// directly and through Gate. Measured and printed; asserted is only that every notice comes.

import { expect, it } from "vitest";
import { eventually } from "../../e2e/support/api.ts";
import { chat, DIRECT, eventTypesOf, GATE, newTenant, pause, report, spend } from "../support/product.ts";

/** Four calls are 82 %. */
const MAX_BUDGET = 1.37;
const TENANTS = 6;
const SETTLED_MS = 8_000;
const BETWEEN_CALLS_MS = 2_000;
const LOST_MS = 90_000;

const BASES = [
  ["LiteLLM directly", DIRECT],
  ["Gate", GATE],
] as const;

it.each(BASES)(
  "every notice of 80 percent comes, through %s",
  async (name, baseUrl) => {
    const outOfQuiet = await everyTenant(async (key) => {
      await spend(baseUrl, key, 3);
      await pause(SETTLED_MS);
      await spend(baseUrl, key, 1);
    });
    report(`${name}, out of quiet: 80 % notified after ${quantiles(outOfQuiet)}`);
    const steady = await everyTenant(async (key) => {
      for (let call = 0; call < 4; call++) {
        if (call > 0) await pause(BETWEEN_CALLS_MS);
        await spend(baseUrl, key, 1);
      }
      // The agent does not stop at 80 %.
      void pause(BETWEEN_CALLS_MS).then(() => chat(baseUrl, key));
    });
    report(`${name}, in steady traffic: 80 % notified after ${quantiles(steady)}`);
    expect([...outOfQuiet, ...steady].every(Number.isFinite)).toBe(true);
  },
  400_000,
);

/** The seconds from the end of the crossing call to the notice, for each of several tenants at once. */
function everyTenant(cross: (key: string) => Promise<void>): Promise<number[]> {
  return Promise.all(
    Array.from({ length: TENANTS }, async (_, index) => {
      await pause(index * 300);
      const { tenantId, key } = await newTenant({ max_budget: MAX_BUDGET });
      await cross(key);
      const crossedAt = Date.now();
      // In steady traffic the next call may cross 100 % before the first is counted: people then hear of that one.
      const hasCome = async () => pause(200).then(async () => (await eventTypesOf(tenantId)).length > 0);
      const isThere = await eventually(hasCome, LOST_MS).catch(() => false);
      return isThere ? (Date.now() - crossedAt) / 1_000 : Number.POSITIVE_INFINITY;
    }),
  );
}

function quantiles(seconds: readonly number[]): string {
  const sorted = seconds.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)} s, p95 ${at(0.95)} s (${sorted.length} tenants)`;
}
