// Several isolates at once. One of them reads LiteLLM for a tenant; what the others answer meanwhile and afterwards is
// as right as if each had read.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, apiOf } from "../e2e/support/api.ts";
import { type FarBursar, startFarBursar } from "../e2e/support/far-bursar.ts";
import { type SeededTenant, seedTenant } from "../e2e/support/seed.ts";

/**
 * Ten times those of a deployment, so that no first answer is late only because the test machine is busy. Postgres
 * takes the whole deadline; all that lies nearer takes a small part of it.
 */
const [DEADLINE_MS, POSTGRES_MS] = [1_000, 1_000];
const NEARER = { redis: 10, litellm: 20, kv: { hotMs: 5, coldMs: 10 } };
const NEAR_POSTGRES_MS = 20;

let bursar: FarBursar;
beforeAll(async () => {
  bursar = await startFarBursar({
    isolates: 8,
    vars: { CHECK_DEADLINE_MS: String(DEADLINE_MS) },
    distances: { postgres: POSTGRES_MS, ...NEARER },
  });
  // Each isolate compiles and connects with its first call.
  const { key } = await seedTenant(bursar);
  await askAll(8, key);
  await bursar.settled();
});
afterAll(() => bursar.stop());

/** One call in each isolate at once. */
function askAll(isolates: number, key: string): Promise<Answer[]> {
  return Promise.all(bursar.isolates.slice(0, isolates).map(({ url }) => apiOf(url).ask(key)));
}
const statusesOf = (answers: readonly Answer[]) => answers.map(({ status }) => status);

const MINUTE_MS = 60_000;

describe("a closed tenant after eleven minutes without a call", () => {
  it("allows one call in each of five isolates at once, and refuses none for want of a read", async () => {
    const snapshot = { spend: 30, ageMs: 11 * MINUTE_MS };
    const { key } = await seedTenant(bursar, { failPolicy: "closed", maxBudget: 100, spend: 31, snapshot });
    const answers = await askAll(5, key);
    expect(statusesOf(answers)).toEqual([200, 200, 200, 200, 200]);
    expect(answers.map(({ body }) => [body.spend, body.degraded])).toEqual(answers.map(() => [31, false]));
  });
});

describe("an open tenant over its budget of which the edge has nothing", () => {
  it("refuses in each of five isolates at once from the second call on", async () => {
    const { key } = await seedTenant(bursar, { maxBudget: 100, spend: 300 });
    await askAll(5, key);
    await bursar.settled();
    for (let round = 0; round < 3; round++) expect(statusesOf(await askAll(5, key))).toEqual([402, 402, 402, 402, 402]);
  });

  it("refuses with the first call already when Postgres answers within the deadline", async () => {
    bursar.ways.postgres.setDelay(NEAR_POSTGRES_MS);
    try {
      const { key } = await seedTenant(bursar, { maxBudget: 100, spend: 300 });
      expect(statusesOf(await askAll(5, key))).toEqual([402, 402, 402, 402, 402]);
    } finally {
      bursar.ways.postgres.setDelay(POSTGRES_MS);
    }
  });
});

describe("eight isolates with copies of KV, near the block threshold", () => {
  /** $105 of a block at $110, at a dollar a second: every check asks for newer spend. */
  async function nearThreshold(): Promise<SeededTenant> {
    const snapshot = { spend: 105, ageMs: 0, rate: 1 };
    const tenant = await seedTenant(bursar, { maxBudget: 100, spend: 105, snapshot });
    expect(statusesOf(await askAll(8, tenant.key))).toEqual(Array(8).fill(200));
    await bursar.settled();
    return tenant;
  }

  /** Spend is at most 5 s old when it is read, and the last isolate at most 5 s behind the one that read it. */
  const BEHIND_MS = 5_000 + 5_000;
  const PAUSE_MS = 500;

  it("refuses in every isolate within 10 s of the crossing", async () => {
    const { key } = await nearThreshold();
    bursar.stack.litellm?.setSpend(key, 115);
    const crossedAt = Date.now();
    let lastAllowedAt = crossedAt;
    while (Date.now() - crossedAt < BEHIND_MS + 5_000) {
      const askedAt = Date.now();
      if (statusesOf(await askAll(8, key)).includes(200)) lastAllowedAt = askedAt;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    expect(lastAllowedAt - crossedAt).toBeLessThanOrEqual(BEHIND_MS);
    expect(statusesOf(await askAll(8, key))).toEqual(Array(8).fill(402));
  });
});
