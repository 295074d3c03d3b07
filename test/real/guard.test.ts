// Guard asked by a real LiteLLM that has Bursar's configuration pasted: whom it refuses, and in which words.

import { describe, expect, it } from "vitest";
import { type Answer, send } from "../e2e/support/api.ts";
import { chat, DIRECT, GUARD_PATH, manage, newTenant, product, relayedSince } from "./support/product.ts";
import { behaviour } from "./support/version.ts";

/** A model that costs nothing: LiteLLM checks no budget for it, so only Guard refuses. */
const FREE = { model: "free" };

function expectRefusedByGuard({ status, body }: Answer, words: string): void {
  expect(status).toBe(behaviour.guardRefusalStatus);
  expect(body.error.message).toContain(words);
}

describe("LiteLLM with Bursar's configuration pasted", () => {
  it("asks Guard before each call, and lets the call of a tenant within its budget pass", async () => {
    const { key } = await newTenant({ max_budget: 100 });
    const begunAt = Date.now();
    expect((await chat(DIRECT, key)).status).toBe(200);
    const asked = (await relayedSince(begunAt)).filter(({ path }) => path === GUARD_PATH);
    expect(asked.length).toBeGreaterThan(0);
  });

  it("refuses a call of a tenant with a limit of zero, in Bursar's words", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 0 });
    expectRefusedByGuard(await chat(DIRECT, key, FREE), `Tenant ${tenantId} has no budget: its limit is zero.`);
  });

  it("refuses a streamed call of a blocked tenant before it begins", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 0 });
    const refused = await chat(DIRECT, key, { ...FREE, stream: true });
    expectRefusedByGuard(refused, `Tenant ${tenantId} has no budget: its limit is zero.`);
  });

  it.each([
    ["messages", "/v1/messages", { ...FREE, max_tokens: 20, messages: [{ role: "user", content: "hi" }] }],
    ["responses", "/v1/responses", { ...FREE, max_output_tokens: 20, input: "hi" }],
  ])("refuses %s of a blocked tenant too", async (_, path, body) => {
    const { tenantId, key } = await newTenant({ max_budget: 0 });
    const refused = await send("POST", DIRECT + path, { token: key, body });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(refused.body)).toContain(`Tenant ${tenantId} has no budget: its limit is zero.`);
  });

  it("lets calls with an unmanaged key and with the master key pass", async () => {
    const { key } = await manage("POST", "/key/generate", {});
    expect((await chat(DIRECT, key)).status).toBe(200);
    expect((await chat(DIRECT, product.masterKey)).status).toBe(200);
  });
});
