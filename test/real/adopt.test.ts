// Adopting a key and a team that a real LiteLLM already has, and releasing them as they were.

import { describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/api.ts";
import {
  aName,
  api,
  COST,
  chat,
  DIRECT,
  deleteTenant,
  hashOf,
  keyRow,
  LEARNED_MS,
  manage,
  spend,
  spendsAtLeast,
  untilAsked,
  untilSynced,
} from "./support/product.ts";
import { behaviour } from "./support/version.ts";

const adopt = (body: object) => api.admin("POST", "/v1/tenants", body);

async function aKey(fields: Record<string, unknown> = {}): Promise<string> {
  return (await manage("POST", "/key/generate", { metadata: { owner: "finance" }, ...fields })).key;
}

const teamRow = async (id: string) => (await manage("GET", `/team/info?team_id=${id}`)).team_info;

describe.concurrent("an existing key", () => {
  it("keeps its settings when adopted, is enforced, and gets back what it had when released", async () => {
    const name = aName();
    const key = await aKey({ key_alias: name, max_budget: 200, budget_duration: "30d" });
    await spend(DIRECT, key, 1);
    const adopted = await adopt({ tenant_id: name, litellm_key: hashOf(key) });
    expect([adopted.status, adopted.body]).toMatchObject([201, { max_budget: 200 }]);
    await untilSynced(name);
    expect(await keyRow(key)).toMatchObject({ metadata: { owner: "finance", tenant_id: name } });
    expect((await keyRow(key)).max_budget).toBeCloseTo(220, 9);
    await untilAsked(key, spendsAtLeast(COST));

    const lowered = await api.admin("PATCH", `/v1/tenants/${name}`, { max_budget: 0.2 });
    expect(lowered.status).toBe(200);
    await untilSynced(name);
    const refused = await api.ask(key);
    expect([refused.status, refused.body.reason]).toEqual([402, "over_grace"]);
    const atLitellm = await chat(DIRECT, key);
    expect([atLitellm.status, atLitellm.body.error.type]).toEqual([behaviour.refusalStatus, "budget_exceeded"]);

    await deleteTenant(name);
    expect(await keyRow(key)).toMatchObject({
      max_budget: 200,
      budget_duration: "30d",
      metadata: { owner: "finance" },
    });
    expect((await keyRow(key)).metadata).not.toHaveProperty("tenant_id");
    expect((await chat(DIRECT, key)).status).toBe(200);
    expect((await api.ask(key)).status).toBe(401);
  });
});

describe.concurrent("an existing team", () => {
  it("has one budget for all its keys: what one of them spends blocks the other, in LiteLLM too", async () => {
    const name = aName();
    await manage("POST", "/team/new", { team_id: name, team_alias: name, max_budget: 50 });
    const [one, two] = [await aKey({ team_id: name }), await aKey({ team_id: name })];
    const adopted = await adopt({ tenant_id: name, litellm_team_id: name, max_budget: 0.5 });
    expect([adopted.status, adopted.body]).toMatchObject([201, { tenant_id: name }]);
    await untilSynced(name);
    expect((await teamRow(name)).max_budget).toBeCloseTo(0.55, 9);
    expect(await api.ask(two)).toMatchObject({ status: 200, body: { tenant_id: name, allowed: true } });

    await spend(DIRECT, one, 2);
    const { body } = await untilAsked(two, ({ status }) => status === 402);
    expect(body).toMatchObject({ tenant_id: name, reason: "over_grace" });
    const refused = await chat(DIRECT, two);
    expect([refused.status, refused.body.error.type]).toEqual([behaviour.refusalStatus, "budget_exceeded"]);

    await deleteTenant(name);
    expect((await teamRow(name)).max_budget).toBe(50);
    await eventually(async () => (await chat(DIRECT, two)).status === 200, LEARNED_MS);
  });
});

it("refuses to adopt a key that LiteLLM does not have", async () => {
  const refused = await adopt({ tenant_id: aName(), litellm_key: hashOf(`sk-${aName()}`) });
  expect(refused.status).toBe(422);
});
