// Many checks at once: every answer is correct, and they cause at most one read of LiteLLM per tenant.

import pMap from "p-map";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Answer, apiOf } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { seedTenant } from "./support/seed.ts";

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  // Each store gets a share of the deadline, and a busy test machine does not answer 100 reads in two seconds.
  bursar = await startBursar({ vars: { CHECK_DEADLINE_MS: "9999" } });
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const readsByKey = () => {
  const counts = new Map<string, number>();
  for (const { path, keyHash } of bursar.stack.litellm?.requests() ?? []) {
    if (path === "/key/info") counts.set(keyHash ?? "", (counts.get(keyHash ?? "") ?? 0) + 1);
  }
  return counts;
};

/** A store or LiteLLM that takes as long is given up, and Bursar answers degraded, as it must. */
const GIVEN_UP_MS = 2_000;
const serverMs = ({ headers }: Answer) => Number(/total;dur=(\d+)/.exec(headers.get("Server-Timing") ?? "")?.[1]);

/** The answers of the first of five rounds, each of new tenants, in which the machine is not too busy for them. */
async function inTime<Round extends { answers: Answer[] }>(play: () => Promise<Round>): Promise<Round> {
  for (let left = 4; ; left--) {
    bursar.stack.litellm?.clearRequests();
    const round = await play();
    if (left === 0 || round.answers.every((answer) => serverMs(answer) < GIVEN_UP_MS)) return round;
  }
}

it.each([
  ["KV has no spend", undefined],
  ["KV has old spend", { spend: 10, ageMs: 3_600_000 }],
])("answers 100 concurrent checks of one tenant when %s", async (_, snapshot) => {
  const { tenantId, answers } = await inTime(async () => {
    const { tenantId, key } = await seedTenant(bursar, { spend: 105, ...(snapshot && { snapshot }) });
    return { tenantId, answers: await Promise.all(Array.from({ length: 100 }, () => api.ask(key))) };
  });
  const expected = { tenant_id: tenantId, allowed: true, state: "grace", spend: 105, degraded: false };
  for (const answer of answers) expect(answer.body).toMatchObject(expected);
  expect([...readsByKey().values()]).toEqual([1]);
});

it("refuses all of 100 concurrent checks of a blocked tenant", async () => {
  const { answers } = await inTime(async () => {
    const { key } = await seedTenant(bursar, { spend: 110 });
    return { answers: await Promise.all(Array.from({ length: 100 }, () => api.ask(key))) };
  });
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([402]));
});

it("answers one check each of 100 tenants at once", async () => {
  const { tenants, answers } = await inTime(async () => {
    const tenants = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => ({
        spend: index + 20,
        ...(await seedTenant(bursar, { spend: index + 20 })),
      })),
    );
    // Bursar waits seconds for Postgres and LiteLLM, in which a busy test machine does not read 100 tenants.
    return { tenants, answers: await pMap(tenants, ({ key }) => api.ask(key), { concurrency: 20 }) };
  });
  for (const [index, { tenantId, spend }] of tenants.entries()) {
    const answer = answers[index];
    expect(answer?.body).toMatchObject({ tenant_id: tenantId, spend, degraded: false });
    expect(answer?.status).toBe(spend >= 110 ? 402 : 200);
  }
  expect([...readsByKey().values()]).toEqual(tenants.map(() => 1));
});
