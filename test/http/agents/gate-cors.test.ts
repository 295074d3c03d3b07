// Gate for browsers: preflights and CORS headers, for the origins of CORS_ORIGINS only.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW, usd } from "../../budget/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aModelAnswer } from "../../support/fakes/fake-model-calls.ts";
import { POLICY } from "../../support/worlds/check-world.ts";
import { HttpWorld } from "../../support/worlds/http-world.ts";

let world: HttpWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new HttpWorld();
  world.policy = { ...POLICY, corsOrigins: [APP, "http://localhost:3000"] };
});
afterEach(() => void vi.useRealTimers());

const APP = "https://app.example.com";
const subject = { kind: "key", id: sha256(VIRTUAL_KEY) } as const;
const CHAT = "/llm/v1/chat/completions";

const preflight = (origin: string, path = CHAT) =>
  world.call(path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    },
  });
const chat = (origin: string) =>
  world.call(CHAT, { method: "POST", token: VIRTUAL_KEY, headers: { origin }, body: "{}" });
const corsOf = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith("access-control-"));

describe("a preflight", () => {
  it("gets a 204 without a key, and without asking LiteLLM, for a permitted origin", async () => {
    const { status, headers } = await preflight(APP);
    expect(status).toBe(204);
    expect(headers.get("Access-Control-Allow-Origin")).toBe(APP);
    expect(headers.get("Access-Control-Allow-Methods")).toBe("GET,HEAD,POST,DELETE");
    expect(headers.get("Access-Control-Allow-Headers")).toBe("authorization,content-type,x-stainless-lang");
    expect(headers.get("Access-Control-Max-Age")).toBe("7200");
    expect(headers.has("Access-Control-Allow-Credentials")).toBe(false);
    expect([headers.get("Vary"), world.models.calls]).toEqual([expect.stringContaining("Origin"), []]);
  });

  it.each(["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"])(
    "gets no CORS headers from %s",
    async (origin) => {
      const { status, headers } = await preflight(origin);
      expect([status, corsOf(headers)]).toEqual([405, []]);
    },
  );

  it("gets no CORS headers by default", async () => {
    world.policy = POLICY;
    expect(corsOf((await preflight(APP)).headers)).toEqual([]);
  });

  it("permits every origin under *", async () => {
    world.policy = { ...POLICY, corsOrigins: ["*"] };
    const { status, headers } = await preflight("https://any.example");
    expect([status, headers.get("Access-Control-Allow-Origin")]).toEqual([204, "*"]);
  });

  it("gets no CORS headers on other routes than Gate's", async () => {
    expect(corsOf((await preflight(APP, "/v1/budget")).headers)).toEqual([]);
  });
});

describe("an answer to a browser", () => {
  it("lets a permitted origin read it and Bursar's headers, instead of what LiteLLM would permit", async () => {
    world.hasTenant({ subject }, { spendNanoUsd: usd("410") });
    const theirs = { "content-type": "application/json", "access-control-allow-origin": "*", vary: "Origin" };
    world.models.next = aModelAnswer({ headers: new Headers(theirs) });
    const { status, headers } = await chat(APP);
    expect([status, headers.get("Access-Control-Allow-Origin")]).toEqual([200, APP]);
    expect(headers.get("Vary")?.split(", ")).toContain("Origin");
    const exposed = headers.get("Access-Control-Expose-Headers")?.toLowerCase().split(",");
    expect(exposed).toEqual(
      expect.arrayContaining(["x-bursar-state", "x-bursar-remaining", "retry-after", "x-request-id"]),
    );
    expect(world.models.calls[0]?.headers.has("origin")).toBe(false);
  });

  it("lets a permitted origin read refusals and errors", async () => {
    world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
    const refused = await chat(APP);
    expect([refused.status, refused.headers.get("Access-Control-Allow-Origin")]).toEqual([402, APP]);
    const missing = await world.call("/llm/v1/files", { headers: { origin: APP } });
    expect([missing.status, missing.headers.get("Access-Control-Allow-Origin")]).toEqual([404, APP]);
  });

  it("carries no CORS headers for another origin, even if LiteLLM sends some", async () => {
    world.hasTenant({ subject });
    world.models.next = aModelAnswer({ headers: new Headers({ "access-control-allow-origin": "*" }) });
    expect(corsOf((await chat("https://evil.example")).headers)).toEqual([]);
  });
});
