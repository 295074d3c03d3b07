// An isolate that has never seen a key, with healthy stores far away. Its first answer may be the fail policy's: the
// deadline ends the waiting, never the learning. From the second call on each answer is right.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf, send } from "../e2e/support/api.ts";
import { type FarBursar, startFarBursar } from "../e2e/support/far-bursar.ts";
import { seedTenant } from "../e2e/support/seed.ts";
import { ASK, ENDPOINTS, type Endpoint, GUARD, type Judged } from "./support/endpoints.ts";

let bursar: FarBursar;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  bursar = await startFarBursar({ distances: { postgres: 150 } });
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const litellm = async (path: string, body: object) =>
  (await send("POST", bursar.stack.litellmUrl + path, { token: bursar.stack.litellmMasterKey, body })).body;

/** A team that was adopted over its budget: $300 of $100. `newKey` makes a key that no isolate has seen. */
async function adoptTeam(): Promise<{ teamId: string; newKey: () => Promise<string> }> {
  const { team_id } = await litellm("/team/new", {});
  bursar.stack.litellm?.setSpend(team_id, 300);
  const fields = { tenant_id: `team-${team_id}`, litellm_team_id: team_id, max_budget: 100 };
  const adopted = await api.admin("POST", "/v1/tenants", fields);
  expect([adopted.status, adopted.body.spend]).toEqual([201, 300]);
  return { teamId: team_id, newKey: async () => (await litellm("/key/generate", { team_id })).key };
}

/** The answers of an isolate from its second call on. */
async function fromTheSecondCall(
  { judge }: Endpoint,
  isolate: number,
  key: string,
  teamId?: string,
): Promise<Judged[]> {
  const url = bursar.isolates[isolate]?.url ?? "";
  await judge(url, key, teamId);
  await bursar.settled();
  return [await judge(url, key, teamId), await judge(url, key, teamId), await judge(url, key, teamId)];
}

describe.each(ENDPOINTS)("$name, at an isolate that has never seen the key", (endpoint) => {
  it("refuses a team over its budget from the second call on", async () => {
    const { teamId, newKey } = await adoptTeam();
    for (const isolate of [0, 1, 2]) {
      const answers = await fromTheSecondCall(endpoint, isolate, await newKey(), teamId);
      expect(answers).toEqual(["refused", "refused", "refused"]);
    }
  });

  it("refuses a tenant with its own key over its budget from the second call on", async () => {
    const { key } = await seedTenant(bursar, { maxBudget: 100, spend: 300 });
    for (const isolate of [0, 1, 2]) {
      expect(await fromTheSecondCall(endpoint, isolate, key)).toEqual(["refused", "refused", "refused"]);
    }
  });

  it("allows a tenant within its budget from the second call on", async () => {
    const { key } = await seedTenant(bursar, { maxBudget: 100, spend: 30 });
    expect(await fromTheSecondCall(endpoint, 1, key)).toEqual(["allowed", "allowed", "allowed"]);
  });
});

it("finds no tenant for an unmanaged key from the second call on", async () => {
  const { key } = await litellm("/key/generate", {});
  expect(await fromTheSecondCall(ASK, 0, key)).toEqual(["unknown", "unknown", "unknown"]);
  expect(await fromTheSecondCall(GUARD, 1, key)).toEqual(["allowed", "allowed", "allowed"]);
});

it("refuses in a second isolate without Postgres, from what the first has written to KV", async () => {
  const key = await (await adoptTeam()).newKey();
  await fromTheSecondCall(ASK, 0, key);
  bursar.kv.clearCopies();
  bursar.ways.postgres.setFault({ kind: "hang" });
  try {
    expect(await fromTheSecondCall(ASK, 1, key)).toEqual(["refused", "refused", "refused"]);
  } finally {
    bursar.ways.postgres.setFault(null);
  }
});
