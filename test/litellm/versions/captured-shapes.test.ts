// The fields of later versions of LiteLLM, in rows, events and requests, against captures of real proxies.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Litellm, startLitellm } from "../../../dev/litellm/start.ts";
import { type Receiver, startReceiver } from "../receiver.ts";
import { type Answer, type Client, captured, clientOf, hashOf, send, typedShapeOf } from "../support.ts";

let litellm: Litellm;
let client: Client;
let receiver: Receiver;

async function start(profile: "1.83" | "1.110", options: Parameters<typeof startLitellm>[0] = {}): Promise<void> {
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, profile, ...options });
  client = clientOf(litellm);
}
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await litellm.stop();
  await receiver.stop();
});

/** The fields, whatever their order. */
const fieldsOf = (value: unknown) => typedShapeOf(value).sort();

const KEY = {
  key_alias: "fx-acme",
  max_budget: 1,
  soft_budget: 0.5,
  budget_duration: "30d",
  models: ["mock"],
  metadata: { tenant_id: "acme" },
};

describe("a key's row", () => {
  it.each(["1.83.14", "1.110.2"])("has exactly the captured fields of %s", async (version) => {
    await start(version === "1.83.14" ? "1.83" : "1.110");
    const models = version === "1.83.14" ? [] : ["mock"];
    const key = await client.newKey({ ...KEY, models });
    const info = (await client.call("GET", `/key/info?key=${hashOf(key)}`)).body;
    expect(fieldsOf(info)).toEqual(fieldsOf(captured(`${version}/key_info.response`)));
    const rows = (await client.call("POST", "/v2/key/info", { keys: [hashOf(key)] })).body.info;
    expect(fieldsOf(rows)).toEqual(fieldsOf(captured(`${version}/v2_key_info.response`).info));
  });

  it("has exactly the captured fields where it is generated, blocked, unblocked, listed and deleted", async () => {
    await start("1.110");
    const key = await client.newKey(KEY);
    const generated = await client.call("POST", "/key/generate", { ...KEY, key_alias: "other" });
    expect(fieldsOf(generated.body)).toEqual(fieldsOf(captured("1.110.2/key_generate.response")));
    await client.chat(key, { cost: 0.1 });
    const of = { key: hashOf(key) };
    const updated = (await client.call("POST", "/key/update", { ...of, max_budget: 2 })).body;
    expect(fieldsOf(updated)).toEqual(fieldsOf(captured("1.110.2/key_update.max_budget")));
    const blocked = (await client.call("POST", "/key/block", of)).body;
    expect(fieldsOf(blocked)).toEqual(fieldsOf(captured("1.110.2/key_block.response")));
    const unblocked = (await client.call("POST", "/key/unblock", of)).body;
    expect(fieldsOf(unblocked)).toEqual(fieldsOf(captured("1.110.2/key_unblock.response")));
    await client.call("POST", "/key/delete", { keys: [of.key] });
    const deleted = (await client.call("GET", `/key/info?key=${of.key}`)).body;
    expect(fieldsOf(deleted)).toEqual(fieldsOf(captured("1.110.2/key_info.deleted")));
    await client.newKey({ max_budget: 1, budget_duration: "28d", metadata: { t: "dur" } });
    const [listed] = (await client.call("GET", "/key/list?return_full_object=true&size=1")).body.keys;
    expect(fieldsOf(listed)).toEqual(fieldsOf(captured("1.110.2/key_list.response").keys[0]));
  });

  it("counts all spend since its creation, and when it was last used, in 1.110", async () => {
    await start("1.110");
    const key = await client.newKey({ max_budget: 5 });
    expect(await client.info(key)).toMatchObject({ total_spend: 0, last_active: null, settings_updated_at: null });
    await client.chat(key, { cost: 1.4 });
    await client.call("POST", `/key/${hashOf(key)}/reset_spend`, { reset_to: 0 });
    const row = {
      spend: 0,
      total_spend: 1.4,
      last_active: expect.any(String),
      settings_updated_at: expect.any(String),
    };
    expect(await client.info(key)).toMatchObject(row);
  });

  it("names its status in 1.110: active, expired or revoked", async () => {
    let now = Date.now();
    await start("1.110", { now: () => now });
    const key = await client.newKey({ duration: "1h" });
    expect((await client.info(key)).status).toBe("active");
    now += 3_600_001;
    expect((await client.info(key)).status).toBe("expired");
    await client.call("POST", "/key/block", { key });
    expect((await client.info(key)).status).toBe("revoked");
  });
});

it("shows teams and budgets with exactly the captured fields of 1.110", async () => {
  await start("1.110");
  const fields = { max_budget: 1, soft_budget: 0.5, budget_duration: "30d", metadata: { tenant_id: "tt" } };
  const made = (await client.call("POST", "/team/new", { team_alias: "red", ...fields })).body;
  expect(fieldsOf(made)).toEqual(fieldsOf(captured("1.110.2/team_new.response")));
  const key = await client.newKey({ team_id: made.team_id, key_alias: "tk" });
  await client.chat(key, { cost: 0.5 });
  const shown = (await client.call("GET", `/team/info?team_id=${made.team_id}`)).body;
  expect(fieldsOf(shown)).toEqual(fieldsOf(captured("1.110.2/team_info.response")));
  const updated = (await client.call("POST", "/team/update", { team_id: made.team_id, max_budget: 2 })).body;
  expect(fieldsOf(updated)).toEqual(fieldsOf(captured("1.110.2/team_update.response")));
  await client.call("POST", "/budget/new", { budget_id: "b" });
  const budget = (await client.call("POST", "/budget/update", { budget_id: "b", soft_budget: 0.6 })).body;
  expect(fieldsOf(budget)).toEqual(fieldsOf(captured("1.110.2/budget_update.response")));
});

describe("an event of 1.110", () => {
  async function eventsOf(call: (key: string) => Promise<unknown>, key: string): Promise<Answer["body"]> {
    receiver.received.length = 0;
    await call(key);
    await litellm.flushEvents();
    return receiver.received.flatMap(({ json }) => json);
  }
  const called = (key: string) =>
    send(
      `${litellm.url}/v1/chat/completions`,
      "POST",
      { authorization: `Bearer ${key}`, "user-agent": "curl/7.88.1", "x-sim-cost": "0.28" },
      { model: "mock", messages: [{ role: "user", content: "hi" }], max_tokens: 5 },
    );

  it("has exactly the captured fields of a finished call", async () => {
    await start("1.110", { events: { url: receiver.url, token: "evt-secret", turnOffMessageLogging: true } });
    const [event] = await eventsOf(called, await client.newKey({ max_budget: 10, key_alias: "acme" }));
    const withoutClient = (one: Answer["body"]) => ({
      ...one,
      metadata: { ...one.metadata, requester_metadata: null, usage_object: null },
      response: null,
      model_parameters: null,
      hidden_params: { ...one.hidden_params, additional_headers: null },
    });
    const capture = captured("1.110.2/generic_api.success");
    expect(typedShapeOf(withoutClient(event))).toEqual(typedShapeOf(withoutClient(capture)));
    expect(event.cost_finalized).toBe(true);
  });

  it("names the key of a refused call, the budget that refused it and the spend that was compared", async () => {
    await start("1.110", { events: { url: receiver.url, token: "evt-secret" }, databaseDelayMs: 60_000 });
    const metadata = { tenant_id: "acme" };
    const key = await client.newKey({ max_budget: 0.5, key_alias: "acme", metadata });
    await called(key);
    await called(key);
    await litellm.flushEvents();
    const [event] = await eventsOf(called, key);
    const capture = captured("1.110.2/generic_api.failure");
    expect(Object.keys(event)).toEqual(Object.keys(capture));
    expect(Object.keys(event.metadata)).toEqual(Object.keys(capture.metadata));
    expect(typedShapeOf(event.error_information)).toEqual(typedShapeOf(capture.error_information));
    expect(event).toMatchObject({ status: "failure", cost_finalized: false, response_cost: 0 });
    // The metadata has the row in memory, the error has the count: both calls are missing from the first.
    expect(event.metadata).toMatchObject({
      user_api_key_hash: hashOf(key),
      user_api_key_alias: "acme",
      user_api_key_spend: 0,
      user_api_key_max_budget: 0.5,
      user_api_key_auth_metadata: metadata,
    });
    const { error_class, error_rate_limit_type, normalized_error } = capture.error_information;
    expect(event.error_information).toMatchObject({
      error_code: "422",
      error_class,
      error_rate_limit_type,
      normalized_error,
      error_budget_entity_type: "key",
      error_budget_entity_id: hashOf(key),
      error_budget_limit: 0.5,
      error_budget_spend: 0.56,
    });
  });

  it("has reservations in the compared spend, when a call of the same moment left nothing to reserve", async () => {
    await start("1.110", { events: { url: receiver.url, token: "evt-secret" }, callMs: 50 });
    const key = await client.newKey({ max_budget: 100 });
    const events = await eventsOf(() => Promise.all([1, 2].map(() => client.chat(key, { cost: 0.28 }))), key);
    const refused = events.find(({ status }: { status: string }) => status === "failure");
    expect(refused.error_information.error_budget_spend).toBeCloseTo(329.376, 9);
    expect(refused.metadata.user_api_key_spend).toBe(0);
  });

  it("names the team that refused a call", async () => {
    await start("1.110", { events: { url: receiver.url, token: "evt-secret" } });
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 1 })).body;
    litellm.setSpend(team_id, 2);
    const [event] = await eventsOf(called, await client.newKey({ team_id }));
    const refusing = { error_budget_entity_type: "team", error_budget_entity_id: team_id, error_budget_spend: 2 };
    expect(event.error_information).toMatchObject(refusing);
    expect(event.metadata).toMatchObject({ user_api_key_team_spend: 2, user_api_key_team_max_budget: 1 });
  });
});

it("asks the guardrail with exactly the captured fields of 1.110", async () => {
  await start("1.110", { guardrail: { url: receiver.url, token: "guard-secret" } });
  await client.chat(await client.newKey({ key_alias: "acme" }));
  const [{ json } = { json: null }] = receiver.received;
  const capture = captured("1.110.2/generic_guardrail.request");
  const withoutHeaders = (one: object) => typedShapeOf({ ...one, request_headers: null });
  expect(withoutHeaders(json)).toEqual(withoutHeaders(capture));
  expect(json.litellm_version).toBe("1.110.2");
  expect(json.request_headers.authorization).toBeUndefined();
});

it("adds the captured headers of 1.110 beside a call, and those of its web server", async () => {
  await start("1.110");
  const { headers } = await client.chat(await client.newKey({ max_budget: 1 }), { cost: 0.28 });
  expect([...headers.keys()]).toEqual(expect.arrayContaining(captured("1.110.2/chat_ok.header-names")));
  expect([headers.get("server"), headers.get("x-frame-options")]).toEqual([null, "DENY"]);
});
