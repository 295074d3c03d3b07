// How every LiteLLM proxy counts spend and refuses calls. Costs are read from the proxy, never assumed.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Behaviour } from "../../dev/litellm/profiles.ts";
import {
  type Answer,
  type Client,
  captured,
  hashOf,
  missingFields,
  SPEND_WRITTEN,
  send,
  startTarget,
} from "./support.ts";

let client: Client;
let behaviour: Behaviour;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ client, behaviour, stop } = await startTarget());
});
afterAll(() => stop());

const COST = 0.1 + 0.2;
/** How long a real proxy may take to count a call's cost. */
const COST_COUNTED = { timeout: 15_000, interval: 300 };
const SETTLED_MS = 1_500;
const costOf = (answer: Answer) => Number(answer.headers.get("x-litellm-response-cost"));

/** The cost of a call on this proxy, as the proxy reports it. */
async function priceOfCall(): Promise<number> {
  return costOf(await client.chat(await client.newKey(), { cost: COST }));
}

/** The status depends on the version; the type does not. */
function expectRefused(answer: Answer): void {
  expect(answer.status).toBe(behaviour.refusalStatus);
  expect(answer.body.error).toMatchObject({ type: "budget_exceeded", param: null, code: String(answer.status) });
}

/** Long enough for a real proxy to count the cost of the last call. */
const settled = () => new Promise((resolve) => setTimeout(resolve, SETTLED_MS));

/** The first refusal. A real proxy counts a call's cost some time after its answer, so the next call may pass. */
async function refusalOf(key: string): Promise<Answer> {
  return vi.waitFor(async () => {
    const answer = await client.chat(key, { cost: COST });
    expect(answer.status).not.toBe(200);
    return answer;
  }, COST_COUNTED);
}

describe("a model call", () => {
  it("answers a call in OpenAI's shape with the captured headers", async () => {
    const answer = await client.chat(await client.newKey({ max_budget: 1_000 }), { cost: COST });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ object: "chat.completion", usage: { total_tokens: expect.any(Number) } });
    expect(answer.body.choices[0].message.role).toBe("assistant");
    expect([...answer.headers.keys()]).toEqual(expect.arrayContaining(captured("chat-header-names")));
    expect(answer.headers.get("x-litellm-key-max-budget")).toBe("1000.0");
  });

  it("shows the spend with its own cost at once, and since 1.96 without the calls of the last minute", async () => {
    const key = await client.newKey();
    const shownBeside = (answer: Answer) => Number(answer.headers.get("x-litellm-key-spend"));
    const first = await client.chat(key, { cost: COST });
    expect(shownBeside(first)).toBe(costOf(first));
    await settled();
    const second = await client.chat(key, { cost: COST });
    const [one, two] = [costOf(first), costOf(second)];
    expect(shownBeside(second)).toBe(behaviour.hasStaleKeySpend ? two : one + two);
  });

  it("reaches the database late", async () => {
    const key = await client.newKey();
    const cost = costOf(await client.chat(key, { cost: COST }));
    expect((await client.info(key)).spend).toBe(0);
    await vi.waitFor(async () => expect((await client.info(key)).spend).toBeCloseTo(cost, 12), SPEND_WRITTEN);
  });

  it("streams chunks, ends with [DONE], and shows no cost in its headers", async () => {
    const key = await client.newKey();
    const answer = await client.chat(key, { cost: COST, body: { stream: true } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    const events = answer.body.split("\n\n").filter((event: string) => event !== "");
    expect(events.at(-1)).toBe("data: [DONE]");
    const chunks = events.slice(0, -1).map((event: string) => JSON.parse(event.slice("data: ".length)));
    expect(chunks.length).toBeGreaterThan(1);
    expect(chunks.every((chunk: { object: string }) => chunk.object === "chat.completion.chunk")).toBe(true);
    expect(Number(answer.headers.get("x-litellm-key-spend"))).toBe(0);
    await vi.waitFor(async () => expect((await client.info(key)).spend).toBeGreaterThan(0), SPEND_WRITTEN);
  });
});

describe("a key", () => {
  it("refuses a key when its spend is at its budget, and not before", async () => {
    const cost = await priceOfCall();
    const key = await client.newKey({ max_budget: cost });
    expect((await client.chat(key, { cost: COST })).status).toBe(200);
    const refused = await refusalOf(key);
    expectRefused(refused);
    expect([...refused.headers.keys()].filter((name) => name.startsWith("x-litellm-key"))).toEqual([]);
    expect(refused.headers.get("retry-after")).toBeNull();
  });

  it("reads itself although it is over its budget", async () => {
    const key = await client.newKey({ max_budget: 0 });
    expectRefused(await client.chat(key));
    expect((await client.call("GET", "/key/info", undefined, key)).status).toBe(200);
  });

  it("gets a refusal on a messages route of 1.110 in Anthropic's envelope", async () => {
    if (behaviour.release !== 110) return;
    const headers = { "x-api-key": await client.newKey({ max_budget: 0 }) };
    const messages = [{ role: "user", content: "hi" }];
    const body = { model: process.env["LITELLM_MODEL"] ?? "mock", max_tokens: 20, messages };
    const refused = await send(`${client.url}/v1/messages`, "POST", headers, body);
    const error = { type: "invalid_request_error", litellm_error_type: "budget_exceeded" };
    expect([refused.status, refused.body]).toMatchObject([422, { type: "error", error }]);
  });

  it("takes its limit from its budget object when it has none of its own", async () => {
    const budget_id = randomUUID();
    await client.call("POST", "/budget/new", { budget_id, max_budget: 0 });
    const key = await client.newKey({ budget_id });
    const info = await client.info(key);
    expect([info.max_budget, info.litellm_budget_table.max_budget]).toEqual([null, 0]);
    expectRefused(await client.chat(key));
  });

  it("may spend its temporary increase until that ends", async () => {
    const key = await client.newKey({ max_budget: 0 });
    const later = { temp_budget_increase: 5, temp_budget_expiry: "2099-12-31T00:00:00" };
    await client.call("POST", "/key/update", { key, ...later });
    const allowed = await client.chat(key);
    expect([allowed.status, allowed.headers.get("x-litellm-key-max-budget")]).toEqual([200, "5.0"]);
    await client.call("POST", "/key/update", { key, ...later, temp_budget_expiry: "2020-01-01T00:00:00" });
    expectRefused(await client.chat(key));
  });

  it("may call again at once when its budget is raised", async () => {
    const key = await client.newKey({ max_budget: 0 });
    expectRefused(await client.chat(key));
    await client.call("POST", "/key/update", { key: hashOf(key), max_budget: 1_000 });
    expect((await client.chat(key)).status).toBe(200);
  });

  it("may call again at once when its spend is reset, but in 1.83 only after up to a minute", async () => {
    const key = await client.newKey({ max_budget: 5 });
    await client.call("POST", "/key/update", { key, spend: 5 });
    expectRefused(await client.chat(key));
    await client.call("POST", `/key/${hashOf(key)}/reset_spend`, { reset_to: 0 });
    expect((await client.chat(key)).status).toBe(behaviour.resetsAtOnce ? 200 : behaviour.refusalStatus);
  });

  it("charges a key again after a reset with what was still on its way to the database", async () => {
    // LiteLLM may write the call to its database just before the reset. Then no spend arrives after the reset.
    const { key, cost } = await vi.waitFor(async () => {
      const key = await client.newKey();
      await client.call("POST", "/key/update", { key, spend: 7 });
      const cost = costOf(await client.chat(key, { cost: COST }));
      const reset = await client.call("POST", `/key/${hashOf(key)}/reset_spend`, { reset_to: 0 });
      expect(reset.body).toMatchObject({ spend: 0, previous_spend: 7 });
      return { key, cost };
    }, SPEND_WRITTEN);
    await vi.waitFor(async () => expect((await client.info(key)).spend).toBeCloseTo(cost, 12), SPEND_WRITTEN);
  });
});

describe("a team", () => {
  it("lists a team with its keys' rows, but not to a key", async () => {
    const made = (await client.call("POST", "/team/new", { team_alias: randomUUID(), max_budget: 1 })).body;
    const key = await client.newKey({ team_id: made.team_id, soft_budget: 0.5 });
    await client.call("POST", "/team/new", { team_alias: randomUUID() });
    const { status, body } = await client.call("GET", "/team/list");
    const listed = body.find(({ team_id }: { team_id: string }) => team_id === made.team_id);
    expect(status).toBe(200);
    expect(listed).toMatchObject({ team_alias: made.team_alias, spend: 0, max_budget: 1 });
    expect(listed.keys).toMatchObject([{ token: hashOf(key), team_id: made.team_id, litellm_budget_table: null }]);
    const aliases: string[] = body.map(({ team_alias: alias }: { team_alias: string | null }) => alias ?? "");
    expect(aliases).toEqual([...aliases].sort());
    expect((await client.call("GET", "/team/list", undefined, key)).status).toBe(401);
  });

  it("creates and shows a team with at least the captured fields", async () => {
    const { status, body } = await client.call("POST", "/team/new", { team_alias: randomUUID(), max_budget: 1 });
    expect(status).toBe(200);
    expect(missingFields(captured("team-new"), body)).toEqual([]);
    const shown = await client.call("GET", `/team/info?team_id=${body.team_id}`);
    expect(Object.keys(shown.body)).toEqual(
      expect.arrayContaining(["keys", "team_id", "team_info", "team_memberships"]),
    );
    expect(shown.body.team_info).toMatchObject({ team_id: body.team_id, spend: 0, max_budget: 1 });
  });

  it("may spend up to its budget exactly, and is refused beyond it, since 1.84 at its budget", async () => {
    const max_budget = await priceOfCall();
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 0 })).body;
    const key = await client.newKey({ team_id });
    expect((await client.chat(key, { cost: COST })).status).toBe(200);
    expectRefused(await refusalOf(key));
    const team = (await client.call("POST", "/team/new", { max_budget })).body;
    const another = await client.newKey({ team_id: team.team_id });
    expect((await client.chat(another, { cost: COST })).status).toBe(200);
    await settled();
    // A reservation refuses the call at the budget already, because nothing is left to reserve.
    const atBudget = behaviour.reservesBudget ? behaviour.refusalStatus : 200;
    expect((await client.chat(another, { cost: COST })).status).toBe(atBudget);
    const refused = await refusalOf(another);
    expectRefused(refused);
    expect(refused.body.error.message).toContain(`Team=${team.team_id}`);
  });

  it("shows a team to its own keys and to no others", async () => {
    const { team_id } = (await client.call("POST", "/team/new", {})).body;
    const read = async (key: string) => client.call("GET", `/team/info?team_id=${team_id}`, undefined, key);
    expect((await read(await client.newKey({ team_id }))).status).toBe(200);
    expect((await read(await client.newKey())).status).toBe(403);
  });

  it("has the spend of its keys, in the database as late as theirs", async () => {
    const { team_id } = (await client.call("POST", "/team/new", {})).body;
    const cost = costOf(await client.chat(await client.newKey({ team_id }), { cost: COST }));
    const spend = async () => (await client.call("GET", `/team/info?team_id=${team_id}`)).body.team_info.spend;
    expect(await spend()).toBe(0);
    await vi.waitFor(async () => expect(await spend()).toBeCloseTo(cost, 12), SPEND_WRITTEN);
  });

  it("changes a team, deletes it with its keys, and answers 404 for an unknown one", async () => {
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 1 })).body;
    const key = await client.newKey({ team_id });
    const changed = await client.call("POST", "/team/update", { team_id, max_budget: 2, budget_duration: "1d" });
    expect([changed.body.team_id, changed.body.data.max_budget]).toEqual([team_id, 2]);
    expect(changed.body.data.budget_reset_at).toMatch(/T00:00:00Z$/);
    expect((await client.call("POST", "/team/delete", { team_ids: [team_id] })).status).toBe(200);
    const ofKey = await client.call("GET", `/key/info?key=${hashOf(key)}`);
    expect([ofKey.status, ofKey.body.info?.status]).toEqual(
      behaviour.showsDeletedKeys ? [200, "deleted"] : [404, undefined],
    );
    const gone = await client.call("GET", `/team/info?team_id=${team_id}`);
    const message = `{'message': 'Team not found, passed team id: ${team_id}.'}`;
    expect([gone.status, gone.body.error.message]).toEqual([404, message]);
  });
});

describe("a budget object", () => {
  it("creates, changes, clears by null and reads a budget by id", async () => {
    const budget_id = randomUUID();
    const made = await client.call("POST", "/budget/new", { budget_id, max_budget: 5, soft_budget: 4 });
    expect([made.status, made.body.budget_id]).toEqual([200, budget_id]);
    await client.call("POST", "/budget/update", { budget_id, soft_budget: 3, max_budget: null });
    const { body } = await client.call("POST", "/budget/info", { budgets: [budget_id, randomUUID()] });
    expect(body).toMatchObject([{ budget_id, soft_budget: 3, max_budget: null }]);
    expect(body).toHaveLength(1);
  });

  it("refuses a window of several months with a 400 since 1.103, and fails in 1.83", async () => {
    const budget_duration = "2mo";
    const status = behaviour.checksDurations ? 400 : 500;
    const made = await client.call("POST", "/budget/new", { budget_id: randomUUID(), budget_duration });
    expect(made.status).toBe(behaviour.alignsBudgetObjects ? status : 200);
    const { team_id } = (await client.call("POST", "/team/new", {})).body;
    expect((await client.call("POST", "/team/update", { team_id, budget_duration })).status).toBe(status);
  });

  it("has a window that ends with the month, as a key's does, but in 1.81 one of the plain length", async () => {
    const now = new Date();
    const { body } = await client.call("POST", "/budget/new", { budget_id: randomUUID(), budget_duration: "30d" });
    const endsAt = Date.parse(body.budget_reset_at);
    if (behaviour.alignsBudgetObjects) {
      expect(endsAt).toBe(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
    } else {
      const days = (endsAt - now.getTime()) / 86_400_000;
      expect(days).toBeGreaterThan(29.99);
      expect(days).toBeLessThan(30.01);
    }
  });
});
