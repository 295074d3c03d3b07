// Where an agent may put its key: the seven places of LiteLLM, the same for Ask and Gate.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keyIn } from "../../../src/http/agents/key-places.ts";
import { NOW } from "../../budget/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { HttpWorld } from "../../support/worlds/http-world.ts";

describe("the agent's key", () => {
  const query = (text = "") => new URLSearchParams(text);

  it.each([
    ["authorization", "Bearer sk-1"],
    ["authorization", "bearer  sk-1 "],
    ["x-litellm-api-key", "sk-1"],
    ["x-litellm-api-key", "Bearer sk-1"],
    ["api-key", "sk-1"],
    ["x-api-key", "sk-1"],
    ["x-goog-api-key", "sk-1"],
    ["ocp-apim-subscription-key", "sk-1"],
  ])("finds the key in %s: %s", (name, value) => {
    expect(keyIn(new Headers({ [name]: value }), query())).toBe("sk-1");
  });

  it("finds the key in the query, where Google's clients put it", () => {
    expect(keyIn(new Headers(), query("alt=sse&key=sk-1"))).toBe("sk-1");
  });

  it("takes the first of several keys, in LiteLLM's order", () => {
    const headers = new Headers({ "x-api-key": "sk-ant", authorization: "Bearer sk-1" });
    expect(keyIn(headers, query("key=sk-3"))).toBe("sk-1");
    headers.set("x-litellm-api-key", "sk-0");
    expect(keyIn(headers, query())).toBe("sk-0");
  });

  it.each([
    ["another scheme", { authorization: "Basic abc def" }],
    ["none", {}],
    ["an empty one", { authorization: "Bearer " }],
    ["one with a line in it", { "x-api-key": "sk-1 sk-2" }],
  ])("finds no key: %s", (_, headers: Record<string, string>) => {
    expect(keyIn(new Headers(headers), query())).toBeNull();
  });
});

describe("Ask and Gate", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
  afterEach(() => void vi.useRealTimers());

  const PLACES: [string, string, Record<string, string>][] = [
    ["Authorization", "", { authorization: `Bearer ${VIRTUAL_KEY}` }],
    ["Authorization without a scheme", "", { authorization: VIRTUAL_KEY }],
    ["x-litellm-api-key", "", { "x-litellm-api-key": `Bearer ${VIRTUAL_KEY}` }],
    ["api-key", "", { "api-key": VIRTUAL_KEY }],
    ["x-api-key", "", { "x-api-key": VIRTUAL_KEY }],
    ["x-goog-api-key", "", { "x-goog-api-key": VIRTUAL_KEY }],
    ["ocp-apim-subscription-key", "", { "ocp-apim-subscription-key": VIRTUAL_KEY }],
    ["the query", `?key=${VIRTUAL_KEY}`, {}],
  ];

  it.each(PLACES)("know the tenant of a key in %s", async (_, query, headers) => {
    const world = new HttpWorld();
    world.hasTenant({ subject: { kind: "key", id: sha256(VIRTUAL_KEY) } });
    const { status, body } = await world.call(`/v1/budget${query}`, { headers });
    expect([status, body.tenant_id]).toEqual([200, "acme"]);
    expect((await world.call(`/llm/v1/models${query}`, { headers })).status).toBe(200);
    expect(world.models.calls[0]?.headers.get("authorization")).toBe(`Bearer ${VIRTUAL_KEY}`);
  });
});
