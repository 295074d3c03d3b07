// How later versions of LiteLLM count spend: apart from the rows, with reservations of teams, and late.

import { afterEach, describe, expect, it } from "vitest";
import type { LitellmProfile } from "../../../dev/litellm/profiles.ts";
import { type Litellm, startLitellm } from "../../../dev/litellm/start.ts";
import { startReceiver } from "../receiver.ts";
import { type Client, clientOf, hashOf, send } from "../support.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let now: number;
let litellm: Litellm;
let client: Client;

async function start(profile: LitellmProfile, options: Parameters<typeof startLitellm>[0] = {}): Promise<void> {
  now = Date.parse("2026-11-22T23:00:00Z");
  litellm = await startLitellm({ now: () => now, callMs: 0, databaseDelayMs: 12 * SECOND, profile, ...options });
  client = clientOf(litellm);
}
afterEach(() => litellm.stop());

const SHORT = { max_tokens: 1 };
const statusOf = async (key: string, cost = 0.01) => (await client.chat(key, { cost, body: SHORT })).status;

describe("a count of 1.110", () => {
  it("goes on when the key changes, although the database does not know the spend yet", async () => {
    await start("1.110");
    const key = await client.newKey({ max_budget: 1 });
    await client.chat(key, { cost: 5, body: SHORT });
    await client.call("POST", "/key/update", { key, metadata: {} });
    expect(await statusOf(key)).toBe(422);
    await client.call("POST", "/key/update", { key, max_budget: 6 });
    expect(await statusOf(key)).toBe(200);
  });

  it("goes on when the key is read again after a minute, as long as the key is called", async () => {
    await start("1.110", { databaseDelayMs: 10 * MINUTE });
    const key = await client.newKey({ max_budget: 1 });
    await client.chat(key, { cost: 5, body: SHORT });
    for (const _ of [1, 2, 3]) {
      now += 40 * SECOND;
      expect(await statusOf(key)).toBe(422);
    }
    now += MINUTE;
    expect(await statusOf(key)).toBe(200);
  });

  it("refuses a key that was deleted and created again, until it was not called for a minute", async () => {
    await start("1.110");
    const key = await client.newKey({ max_budget: 1 });
    await client.chat(key, { cost: 5, body: SHORT });
    await client.call("POST", "/key/delete", { keys: [hashOf(key)] });
    now += 12 * SECOND;
    await client.call("POST", "/key/generate", { key, max_budget: 1 });
    expect((await client.info(key)).spend).toBe(0);
    expect(await statusOf(key)).toBe(422);
    now += MINUTE;
    expect(await statusOf(key)).toBe(200);
  });

  it("ends with the spend that an update or a reset sets", async () => {
    await start("1.110");
    const key = await client.newKey({ max_budget: 1 });
    await client.chat(key, { cost: 5, body: SHORT });
    await client.call("POST", "/key/update", { key, spend: 0 });
    expect(await statusOf(key)).toBe(200);
  });

  it("ends as soon as the reset job ran, of a key and of a team", async () => {
    await start("1.110", { resetCheckMs: 0 });
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 1, budget_duration: "1d" })).body;
    const alone = await client.newKey({ max_budget: 1, budget_duration: "1d" });
    const keys = [alone, await client.newKey({ team_id })];
    for (const key of keys) await client.chat(key, { cost: 5, body: SHORT });
    now = Date.parse("2026-11-22T23:59:50Z");
    for (const key of keys) expect(await statusOf(key)).toBe(422);
    now = Date.parse("2026-11-23T00:00:01Z");
    for (const key of keys) expect(await statusOf(key)).toBe(200);
  });
});

describe("a team in 1.110", () => {
  it("refuses a call at its budget, because nothing is left to reserve", async () => {
    await start("1.110");
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 5 })).body;
    const key = await client.newKey({ team_id });
    litellm.setSpend(team_id, 5);
    const { status, body } = await client.chat(key, { cost: 0.5, body: SHORT });
    const message = `Budget has been exceeded! Team=${team_id} Current cost: 5.5, Max budget: 5.0`;
    expect([status, body.error]).toEqual([422, { message, type: "budget_exceeded", param: null, code: "422" }]);
    expect((await client.call("GET", "/key/info", undefined, key)).status).toBe(200);
    expect(await statusOf(key, 0)).toBe(200);
  });

  it("has the reservations of all its keys", async () => {
    await start("1.110", { callMs: 100 });
    const { team_id } = (await client.call("POST", "/team/new", { max_budget: 0.5 })).body;
    const keys = await Promise.all(Array.from({ length: 12 }, () => client.newKey({ team_id })));
    const answers = await Promise.all(keys.map((key) => statusOf(key, 0.28)));
    expect(answers.filter((status) => status === 200)).toHaveLength(2);
    expect(await statusOf(keys[0] ?? "", 0.28)).toBe(422);
  });
});

it.each([
  ["1.81", 15],
  ["1.83", 15],
  ["1.103", 25],
  ["1.110", 25],
] as const)("writes spend in %s after 10 to %d s", async (profile, seconds) => {
  for (const [random, delayMs] of [
    [0, 10 * SECOND],
    [1, seconds * SECOND],
  ] as const) {
    now = Date.now();
    litellm = await startLitellm({ now: () => now, callMs: 0, profile, random: () => random });
    client = clientOf(litellm);
    const key = await client.newKey();
    await client.chat(key, { cost: 1 });
    now += delayMs - 1;
    expect((await client.info(key)).spend).toBe(0);
    now += 1;
    expect((await client.info(key)).spend).toBe(1);
    if (random === 0) await litellm.stop();
  }
});

it.each([
  ["1.83", "1d", "2026-11-23T00:00:00+00:00"],
  ["1.103", null, null],
] as const)("clears a budget duration by null since 1.103: %s", async (profile, duration, resetsAt) => {
  await start(profile);
  const key = await client.newKey({ budget_duration: "1d" });
  await client.call("POST", "/key/update", { key, budget_duration: null });
  expect(await client.info(key)).toMatchObject({ budget_duration: duration, budget_reset_at: resetsAt });
});

it("takes durations as words since 1.103", async () => {
  await start("1.103");
  const key = await client.newKey({ budget_duration: "monthly" });
  expect(await client.info(key)).toMatchObject({ budget_reset_at: "2026-12-01T00:00:00+00:00" });
});

it("keeps a call with no-log out of events but charges it, unless the proxy forbids that", async () => {
  const receiver = await startReceiver();
  const events = { url: receiver.url, token: "evt-secret" };
  await start("1.110", { events, databaseDelayMs: 0 });
  const key = await client.newKey();
  const call = () => client.chat(key, { cost: 0.5, body: { "no-log": true } });
  await call();
  await litellm.flushEvents();
  expect([receiver.received, (await client.info(key)).spend]).toEqual([[], 0.5]);
  litellm.connect({ events: { ...events, globalDisableNoLogParam: true } });
  await call();
  await litellm.flushEvents();
  expect(receiver.received.flatMap(({ json }) => json)).toMatchObject([{ response_cost: 0.5 }]);
  await receiver.stop();
});

it.each([
  ["1.81", 0],
  ["1.83", 1],
] as const)("lets a body switch the guardrail off in 1.81 only: %s", async (profile, asked) => {
  const receiver = await startReceiver();
  await start(profile, { guardrail: { url: receiver.url, token: "guard-secret" } });
  const key = await client.newKey();
  await client.chat(key, { body: { metadata: { disable_global_guardrail: true } } });
  expect(receiver.received).toHaveLength(asked);
  await receiver.stop();
});

describe("an alert", () => {
  const alertsOf = async (profile: LitellmProfile, act: (key: string) => Promise<unknown>) => {
    const receiver = await startReceiver();
    await start(profile, { webhook: { url: receiver.url }, databaseDelayMs: 0 });
    await act(await client.newKey({ soft_budget: 8, max_budget: 1_000, key_alias: "acme" }));
    await litellm.settled();
    await receiver.stop();
    return receiver.received.map(({ json }) => json);
  };

  it.each(["1.83", "1.110"] as const)(
    "shows the soft budget as max_budget when spend is projected in %s, and takes the mark of the real one",
    async (profile) => {
      const alerts = await alertsOf(profile, async (key) => {
        await client.chat(key, { cost: 8.28, body: SHORT });
        await litellm.settled();
        litellm.setSpend(key, 1_000);
        await client.chat(key, { body: SHORT });
      });
      expect(alerts).toMatchObject([
        {
          event: "budget_crossed",
          event_message: "Key Budget: Projected Limit ExceededBudget Crossed\n Total Budget:`8.0`",
          spend: 8.28,
          max_budget: 8,
          soft_budget: null,
          projected_exceeded_date: "2026-11-22",
          key_alias: "acme",
          max_budget_alert_emails: null,
        },
      ]);
    },
  );

  it.each([
    ["1.83", "15% Threshold Crossed"],
    ["1.110", "15% or less of budget remaining"],
  ] as const)("names the threshold in %s as %j", async (profile, words) => {
    const alerts = await alertsOf(profile, async (key) => {
      litellm.setSpend(key, 900);
      await client.chat(key, { cost: 0, body: SHORT });
      await client.chat(key, { cost: 0.001, body: SHORT });
    });
    expect(alerts.map(({ event_message }) => event_message)).toContainEqual(expect.stringContaining(words));
  });
});

it("compares the count with the budget, and shows the row, beside a call of 1.110", async () => {
  await start("1.110");
  const key = await client.newKey({ max_budget: 1 });
  const shown = async () => {
    const { headers } = await client.chat(key, { cost: 0.25, body: { max_tokens: 20 } });
    return Number(headers.get("x-litellm-key-spend"));
  };
  expect([await shown(), await shown(), await shown(), await shown()]).toEqual([0.25, 0.25, 0.25, 0.25]);
  const headers = { "x-api-key": key, "x-sim-cost": "0.25" };
  const refused = await send(`${litellm.url}/v1/messages`, "POST", headers, { model: "mock", ...SHORT });
  expect([refused.status, refused.body.error.litellm_error_type]).toEqual([422, "budget_exceeded"]);
  expect(refused.body.error.message).toContain("Current cost: 1.0, Max budget: 1.0");
});
