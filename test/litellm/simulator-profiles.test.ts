// What the simulator does in the profiles of later versions and the contract suite does not check.

import { afterEach, describe, expect, it } from "vitest";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Client, clientOf, hashOf } from "./support.ts";

let now: number;
let litellm: Litellm;
let client: Client;

async function start(options: Parameters<typeof startLitellm>[0] = {}): Promise<void> {
  now = Date.parse("2026-11-22T23:00:00Z");
  litellm = await startLitellm({ now: () => now, callMs: 0, databaseDelayMs: 0, ...options });
  client = clientOf(litellm);
}
afterEach(() => litellm.stop());

const shownSpend = async (key: string, cost: number) =>
  Number((await client.chat(key, { cost })).headers.get("x-litellm-key-spend"));

describe("the spend beside a call", () => {
  it("shows the row's spend for a minute in 1.103, and then the calls since", async () => {
    await start({ profile: "1.103" });
    const key = await client.newKey();
    expect([await shownSpend(key, 1), await shownSpend(key, 1), await shownSpend(key, 2)]).toEqual([1, 1, 2]);
    now += 60_000;
    expect(await shownSpend(key, 1)).toBe(5);
  });

  it("enforces the exact spend all the same", async () => {
    await start({ profile: "1.110" });
    const key = await client.newKey({ max_budget: 2 });
    await client.chat(key, { cost: 1, body: { max_tokens: 1 } });
    await client.chat(key, { cost: 1, body: { max_tokens: 1 } });
    expect((await client.chat(key, { cost: 1 })).status).toBe(422);
  });
});

describe("a reservation in 1.110", () => {
  const together = (key: string, count: number, body: Record<string, unknown>) =>
    Promise.all(Array.from({ length: count }, () => client.chat(key, { cost: 0.28, body })));

  it("lets two of twelve concurrent calls on a key of $0.50 spend $0.56", async () => {
    await start({ profile: "1.110", callMs: 1_000 });
    const key = await client.newKey({ max_budget: 0.5 });
    const answers = await together(key, 12, { max_tokens: 20 });
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
    expect((await client.info(key)).spend).toBeCloseTo(0.56, 12);
  });

  it("takes the whole budget for a call without max_tokens, and names the key by its hash", async () => {
    await start({ profile: "1.110", callMs: 1_000 });
    const key = await client.newKey({ max_budget: 100 });
    const answers = await together(key, 2, {});
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
    const refused = answers.find(({ status }) => status === 422);
    expect(refused?.body.error.message).toContain(`Key=${hashOf(key)} Current cost: 329.376`);
    expect((await client.chat(key, { cost: 0.28 })).status).toBe(200);
  });

  it("refuses a later call while one is in flight, by the key's alias and with what is reserved", async () => {
    await start({ profile: "1.110", callMs: 300 });
    const key = await client.newKey({ max_budget: 100, key_alias: "acme" });
    const first = client.chat(key, { cost: 0.28 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    const { error } = (await client.chat(key, { cost: 0.28 })).body;
    const named = `Key=acme (sk-...${key.slice(-4)})`;
    expect(error.message).toBe(`Budget has been exceeded! ${named} Current cost: 100.0, Max budget: 100.0`);
    expect((await first).status).toBe(200);
  });

  it("ends when the guardrail refuses the call", async () => {
    await start({ profile: "1.110", guardrail: { url: "http://127.0.0.1:1", token: "guard-secret" } });
    const key = await client.newKey({ max_budget: 1 });
    expect((await client.chat(key, { cost: 0.28 })).status).toBe(500);
    litellm.connect({ guardrail: null });
    expect((await client.chat(key, { cost: 0.28 })).status).toBe(200);
  });
});

it("reads a temporary increase with a zone in 1.103", async () => {
  await start({ profile: "1.103" });
  const key = await client.newKey({ max_budget: 0 });
  const increase = { temp_budget_increase: 5, temp_budget_expiry: "2099-12-31T00:00:00Z" };
  await client.call("POST", "/key/update", { key, ...increase });
  expect((await client.chat(key)).status).toBe(200);
});

it("enforces the old spend for a minute after a reset in 1.83", async () => {
  await start({ profile: "1.83" });
  const key = await client.newKey({ max_budget: 5 });
  litellm.setSpend(key, 5);
  expect((await client.chat(key)).status).toBe(400);
  await client.call("POST", `/key/${hashOf(key)}/reset_spend`, { reset_to: 0 });
  expect((await client.chat(key)).status).toBe(400);
  now += 60_000;
  expect((await client.chat(key)).status).toBe(200);
});
