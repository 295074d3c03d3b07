// What differs between versions of LiteLLM, its defects that Bursar must survive, and the simulator's own controls.

import { afterEach, describe, expect, it } from "vitest";
import type { CallEvent } from "../../dev/litellm/calls/call-events.ts";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Client, captured, clientOf, hashOf, send } from "./support.ts";

let litellm: Litellm;
let client: Client;

async function start(options: Parameters<typeof startLitellm>[0] = {}): Promise<void> {
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, ...options });
  client = clientOf(litellm);
}
afterEach(() => litellm.stop());

describe("a refusal over budget", () => {
  it("refuses with the captured 400 in 1.81.9, without any header of LiteLLM", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    for (const _ of [1, 2, 3, 4]) await client.chat(key, { cost: 0.1 + 0.2 });
    const { status, body, headers } = await client.chat(key);
    expect([status, body]).toEqual([400, captured("budget-exceeded-400")]);
    expect([...headers.keys()].filter((name) => name.startsWith("x-litellm"))).toEqual([]);
  });

  it("refuses with a 429 in 1.103 that names the key, without retry-after", async () => {
    await start({ profile: "1.103" });
    const key = await client.newKey({ max_budget: 0.05, key_alias: "acme" });
    litellm.spend(key, 0.06);
    const { status, body, headers } = await client.chat(key);
    const named = `Key=acme (sk-...${key.slice(-4)})`;
    const message = `Budget has been exceeded! ${named} Current cost: 0.06, Max budget: 0.05`;
    expect([status, body.error]).toEqual([429, { message, type: "budget_exceeded", param: null, code: "429" }]);
    expect(headers.get("retry-after")).toBeNull();
  });

  it("refuses a key from its budget on, and a team only beyond its budget", async () => {
    await start();
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 5 })).body;
    const key = await client.newKey({ team_id });
    litellm.setSpend(team_id, 5);
    expect((await client.chat(key, { cost: 0.5 })).status).toBe(200);
    const refused = await client.chat(key);
    const message = `Budget has been exceeded! Team=${team_id} Current cost: 5.5, Max budget: 5.0`;
    expect([refused.status, refused.body.error.message]).toEqual([400, message]);
    const alone = await client.newKey({ max_budget: 5 });
    litellm.setSpend(alone, 5);
    expect((await client.chat(alone)).status).toBe(400);
  });

  it("refuses in Anthropic's envelope on messages routes, as captured", async () => {
    await start({ profile: "1.110" });
    const key = await client.newKey({ max_budget: 0.01, key_alias: "shape27581" });
    const messages = () => send(`${client.url}/v1/messages`, "POST", { "x-api-key": key }, { model: "mock" });
    expect((await messages()).body).toMatchObject({ type: "message", content: [{ type: "text", text: "hello" }] });
    litellm.setSpend(key, 0.28);
    const { status, body } = await messages();
    const { error } = captured("budget-exceeded-messages-422");
    const message = error.message.replace("tw9E", key.slice(-4));
    expect([status, body]).toEqual([422, { type: "error", error: { ...error, message } }]);
  });

  it("refuses by a reservation with the whole hash, although nothing is spent, until the reservation ends", async () => {
    await start({ profile: "1.110" });
    const key = await client.newKey({ max_budget: 110 });
    const reserve = (usd: number) => send(`${client.url}/_sim/reserve`, "POST", {}, { subject: key, usd });
    await reserve(491.76);
    const { status, body } = await client.chat(key);
    const message = `Budget has been exceeded! Key=${hashOf(key)} Current cost: 491.76, Max budget: 110.0`;
    expect([status, body.error.type, body.error.message]).toEqual([422, "budget_exceeded", message]);
    await reserve(0);
    expect((await client.chat(key)).status).toBe(200);
  });

  it("does not refuse calls that cost nothing", async () => {
    await start();
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 0 })).body;
    const key = await client.newKey({ max_budget: 0, team_id });
    litellm.setSpend(team_id, 1);
    expect((await client.chat(key)).status).toBe(400);
    expect((await client.chat(key, { cost: 0 })).status).toBe(200);
  });

  it("refuses too late for concurrent calls: 12 on a key of $0.50 spend $3.00", async () => {
    await start({ callMs: 2_000 });
    const key = await client.newKey({ max_budget: 0.5 });
    const answers = await Promise.all(Array.from({ length: 12 }, () => client.chat(key, { cost: 0.25 })));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect((await client.info(key)).spend).toBe(3);
    expect((await client.chat(key)).status).toBe(400);
  });

  it("refuses even the own key info to a key whose team is over its budget", async () => {
    await start();
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 1 })).body;
    const key = await client.newKey({ team_id });
    litellm.setSpend(team_id, 2);
    const { status, body } = await client.call("GET", "/key/info", undefined, key);
    expect([status, body.error.type]).toEqual([400, "budget_exceeded"]);
  });
});

describe("defects", () => {
  it.each(["2099-12-31T00:00:00Z", "2099-12-31T00:00:00+00:00"])(
    "fails every call of a key whose temporary increase expires at %s",
    async (temp_budget_expiry) => {
      await start();
      const key = await client.newKey({ max_budget: 1 });
      await client.call("POST", "/key/update", { key, temp_budget_increase: 5, temp_budget_expiry });
      expect((await client.info(key)).metadata.temp_budget_expiry).toBe("2099-12-31T00:00:00+00:00");
      for (const answer of [await client.chat(key), await client.chat(key)]) {
        const message = "Authentication Error, can't compare offset-naive and offset-aware datetimes";
        expect([answer.status, answer.body.error.message]).toEqual([401, message]);
      }
    },
  );

  it("lets two keys without an owner read each other", async () => {
    await start();
    const [key, other] = [await client.newKey(), await client.newKey()];
    expect((await client.call("GET", `/key/info?key=${hashOf(other)}`, undefined, key)).status).toBe(200);
  });

  it("does not clear a budget duration by null", async () => {
    await start();
    const key = await client.newKey({ budget_duration: "1d" });
    await client.call("POST", "/key/update", { key, budget_duration: null });
    expect((await client.info(key)).budget_duration).toBe("1d");
  });

  it("cannot make a window of several months: 500 when generating, 400 when updating", async () => {
    await start();
    const made = await client.call("POST", "/key/generate", { budget_duration: "2mo" });
    expect([made.status, made.body.error.type]).toEqual([500, "internal_server_error"]);
    const key = await client.newKey({ max_budget: 1 });
    const changed = await client.call("POST", "/key/update", { key, max_budget: 2, budget_duration: "2mo" });
    expect([changed.status, changed.body.error.type]).toEqual([400, "auth_error"]);
    expect((await client.info(key)).max_budget).toBe(1);
  });

  it("lists keys by spend, not in the order that was asked", async () => {
    await start();
    const [poor, rich] = [await client.newKey(), await client.newKey()];
    litellm.setSpend(rich, 9);
    const { body } = await client.call("POST", "/v2/key/info", { keys: [hashOf(poor), hashOf(rich)] });
    expect(body.info.map((row: { token: string }) => row.token)).toEqual([hashOf(rich), hashOf(poor)]);
  });
});

describe("the cost of a call", () => {
  it("takes the cost of the header, else of the body, else the default", async () => {
    await start({ defaultCost: 0.125 });
    const key = await client.newKey();
    await client.chat(key, { cost: 1, body: { metadata: { sim_cost: 9 } } });
    await client.chat(key, { body: { metadata: { sim_cost: 0.5 } } });
    await client.chat(key);
    expect((await client.info(key)).spend).toBe(1.625);
  });

  it("refuses a cost that is no amount", async () => {
    await start();
    const headers = { authorization: `Bearer ${await client.newKey()}`, "x-sim-cost": "much" };
    expect((await send(`${litellm.url}/v1/chat/completions`, "POST", headers, { model: "mock" })).status).toBe(400);
  });

  it("charges a stream when it ends, also when the client leaves early", async () => {
    await start({ callMs: 2_000 });
    const key = await client.newKey();
    const headers = { authorization: `Bearer ${key}`, "x-sim-cost": "2", "content-type": "application/json" };
    const body = JSON.stringify({ model: "mock", stream: true });
    const response = await fetch(`${litellm.url}/chat/completions`, { method: "POST", headers, body });
    expect((await client.info(key)).spend).toBe(0);
    await response.body?.cancel();
    await expect.poll(async () => (await client.info(key)).spend, { timeout: 30_000 }).toBe(2);
  });
});

describe("the controls", () => {
  it("add spend that is enforced at once and written late, to a key and its team", async () => {
    await start({ databaseDelayMs: 60_000 });
    const { team_id } = (await client.call("POST", "/team/new", {})).body;
    const key = await client.newKey({ team_id, max_budget: 5 });
    litellm.spend(key, 5);
    expect((await client.chat(key)).status).toBe(400);
    expect((await client.info(key)).spend).toBe(0);
    litellm.flushSpend();
    expect((await client.info(key)).spend).toBe(5);
    expect((await client.call("GET", `/team/info?team_id=${team_id}`)).body.team_info.spend).toBe(5);
  });

  it("set spend everywhere at once, dropping what was on its way", async () => {
    await start({ databaseDelayMs: 60_000 });
    const key = await client.newKey({ max_budget: 5 });
    litellm.spend(key, 9);
    litellm.setSpend(hashOf(key), 1);
    litellm.flushSpend();
    expect((await client.info(key)).spend).toBe(1);
    expect((await client.chat(key)).status).toBe(200);
  });

  it("say so when there is no such key or team", async () => {
    await start();
    expect(() => litellm.spend("nobody", 1)).toThrow("no such key or team");
  });

  it("work over HTTP as well", async () => {
    await start({ databaseDelayMs: 60_000 });
    const subject = hashOf(await client.newKey());
    await send(`${litellm.url}/_sim/set-spend`, "POST", {}, { subject, usd: 3 });
    await send(`${litellm.url}/_sim/spend`, "POST", {}, { subject, usd: 1 });
    expect((await send(`${litellm.url}/_sim/flush-spend`, "POST", {}, {})).status).toBe(200);
    expect((await client.call("POST", "/v2/key/info", { keys: [subject] })).body.info[0].spend).toBe(4);
    expect((await send(`${litellm.url}/_sim/run-reset-job`, "POST", {}, {})).status).toBe(200);
  });

  it("record management requests by hash, never by raw key, until they are cleared", async () => {
    await start();
    const key = await client.newKey();
    litellm.clearRequests();
    await client.call("GET", `/key/info?key=${key}`);
    await client.call("POST", "/v2/key/info", { keys: [key] });
    await client.call("POST", `/key/${key}/reset_spend`, { reset_to: 0 });
    await client.chat(key);
    const hash = hashOf(key);
    expect(litellm.requests()).toMatchObject([
      { method: "GET", path: "/key/info", keyHash: hash, at: expect.any(Number) },
      { method: "POST", path: "/v2/key/info", keyHashes: [hash] },
      { method: "POST", path: "/key/{key}/reset_spend", keyHash: hash },
    ]);
    expect(litellm.requests()).toHaveLength(3);
    expect(JSON.stringify(litellm.requests())).not.toContain(key);
    const overHttp = await send(`${litellm.url}/_sim/requests`, "GET", {});
    expect(overHttp.body.requests).toEqual(litellm.requests());
    await send(`${litellm.url}/_sim/requests`, "DELETE", {});
    expect(litellm.requests()).toEqual([]);
  });

  it("break and mend it like any part of the stack", async () => {
    await start();
    const key = await client.newKey();
    litellm.setFault({ kind: "error", status: 503, path: "/key/info", times: 1 });
    expect((await client.call("GET", `/key/info?key=${hashOf(key)}`)).status).toBe(503);
    expect((await client.call("GET", `/key/info?key=${hashOf(key)}`)).status).toBe(200);
    await litellm.stop();
    await expect(client.info(key)).rejects.toThrow();
    await litellm.restart();
    expect((await client.info(key)).spend).toBe(0);
  });

  it("notify a listener of each check and each finished or refused call, with the spend before it", async () => {
    const events: CallEvent[] = [];
    await start({ listener: (event) => events.push(event) });
    const key = await client.newKey({ max_budget: 0.25, soft_budget: 0.2, metadata: { tenant_id: "acme" } });
    await client.chat(key, { cost: 0.25 });
    await client.chat(key);
    const before = { hash: hashOf(key), spend: 0, maxBudget: 0.25, softBudget: 0.2, metadata: { tenant_id: "acme" } };
    expect(events).toMatchObject([
      { kind: "call_authorized", refusal: null, key: before },
      { kind: "call_finished", cost: 0.25, model: "mock", key: before },
      { kind: "call_authorized", refusal: "key_budget", key: { spend: 0.25 } },
      { kind: "call_refused", keyHash: before.hash },
    ]);
    expect(JSON.stringify(events)).not.toContain(key);
  });
});
