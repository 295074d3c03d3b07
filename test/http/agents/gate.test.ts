// Gate over HTTP with a double of LiteLLM: what an agent gets, and what LiteLLM is sent.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW, usd } from "../../budget/builders.ts";
import { POLICY } from "../../support/check-world.ts";
import { aModelAnswer } from "../../support/fake-model-calls.ts";
import { HttpWorld } from "../../support/http-world.ts";
import { sha256, VIRTUAL_KEY } from "../../support/virtual-key.ts";

let world: HttpWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new HttpWorld();
});
afterEach(() => void vi.useRealTimers());

const subject = { kind: "key", id: sha256(VIRTUAL_KEY) } as const;
const CHAT = "/llm/v1/chat/completions";
const chat = (headers: Record<string, string> = { authorization: `Bearer ${VIRTUAL_KEY}` }) =>
  world.call(CHAT, { method: "POST", headers, body: '{"model":"mock"}' });
const firstCall = () => world.models.calls[0];

describe("a call that may be made", () => {
  beforeEach(() => void world.hasTenant({ subject }));

  it("is LiteLLM's answer, with our request id, and kept by nobody", async () => {
    world.models.next = aModelAnswer({
      status: 201,
      headers: new Headers({
        "content-type": "application/json",
        "x-litellm-call-id": "call-1",
        "x-request-id": "theirs",
        "cache-control": "max-age=9",
      }),
    });
    const { status, headers, body } = await chat();
    expect([status, body.object]).toEqual([201, "chat.completion"]);
    expect([headers.get("x-litellm-call-id"), headers.get("Cache-Control")]).toEqual(["call-1", "no-store"]);
    expect(headers.get("X-Request-Id")).toBe(firstCall()?.headers.get("x-request-id"));
  });

  it("is sent with its method, plain path, query and body", async () => {
    const headers = { "x-api-key": VIRTUAL_KEY, "content-type": "application/json" };
    await world.call("/llm//v1/messages/?beta=true&key=sk-2", { method: "POST", headers, body: '{"a":1}' });
    const call = firstCall();
    expect([call?.method, call?.path]).toEqual(["POST", "/v1/messages?beta=true"]);
    expect(call?.headers.get("authorization")).toBe(`Bearer ${VIRTUAL_KEY}`);
    expect(await new Response(call?.body ?? null).text()).toBe('{"a":1}');
  });

  it("may be as large as it likes: it is not read here", async () => {
    const body = "x".repeat(3 * 1024 * 1024);
    const headers = { authorization: `Bearer ${VIRTUAL_KEY}`, "content-length": String(body.length) };
    expect((await world.call(CHAT, { method: "POST", headers, body })).status).toBe(200);
  });

  it("comes back as it is when LiteLLM fails", async () => {
    world.models.next = aModelAnswer({ status: 500, body: new Response('{"error":{"message":"theirs"}}').body });
    const { status, body } = await chat();
    expect([status, body]).toEqual([500, { error: { message: "theirs" } }]);
  });

  it("that does not reach LiteLLM is a failure, and does not look like a refusal", async () => {
    world.models.next = { kind: "unreachable", why: "network" };
    const { status, headers, body } = await chat();
    expect([status, body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
    expect(body.error).toEqual({
      message: "LiteLLM cannot be reached.",
      type: "api_error",
      param: null,
      code: "dependency-unavailable",
    });
    expect([headers.get("Retry-After"), headers.get("x-should-retry")]).toEqual(["5", null]);
  });
});

describe("a refusal", () => {
  it("R3: over the grace line is a 402 that names the sums, and that SDKs of OpenAI show and do not try again", async () => {
    world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
    const { status, headers, body } = await chat();
    const detail =
      "Budget exceeded for tenant acme. Current: $552.00, Limit: $500.00. Contact admin to increase budget.";
    expect([status, headers.get("Content-Type")]).toEqual([402, "application/problem+json"]);
    expect(body).toMatchObject({ detail, allowed: false, spend: 552, request_id: headers.get("X-Request-Id") });
    expect(body.error).toEqual({ message: detail, type: "budget_exceeded", param: null, code: "over_grace" });
    expect([headers.get("x-should-retry"), headers.get("Cache-Control")]).toEqual(["false", "no-store"]);
    expect(Number(headers.get("Retry-After"))).toBeGreaterThan(0);
    expect(world.models.calls).toEqual([]);
  });

  it("of a suspended tenant is a 403 of the same kind", async () => {
    world.hasTenant({ subject, suspendedAt: NOW });
    const { status, headers, body } = await chat();
    expect([status, body.error.type, body.error.code]).toEqual([403, "budget_exceeded", "suspended"]);
    expect(headers.get("x-should-retry")).toBe("false");
  });

  it("under a closed policy is a 503, which is a failure and may be tried again", async () => {
    world.hasTenant({ subject, failPolicy: "closed" }, null);
    world.reads.trouble("readSubject", new Error("down"));
    const { status, headers, body } = await chat();
    expect([status, body.error.type, body.error.code]).toEqual([503, "api_error", "spend_unknown"]);
    expect([headers.get("Retry-After"), headers.get("x-should-retry")]).toEqual(["5", null]);
  });

  it("of LiteLLM's own is our 402 with its words, and asks for a little patience", async () => {
    world.hasTenant({ subject });
    world.models.next = aModelAnswer({ status: 400, budgetRefusal: "Budget has been exceeded! Team=x" });
    const { status, headers, body } = await chat();
    const detail = "LiteLLM refused the call: Budget has been exceeded! Team=x";
    expect([status, body.detail, body.error]).toEqual([
      402,
      detail,
      { message: detail, type: "budget_exceeded", param: null, code: "over_grace" },
    ]);
    expect(body).toMatchObject({ tenant_id: "acme", allowed: false, state: "blocked", spend: 100 });
    expect([headers.get("Retry-After"), headers.get("x-should-retry")]).toEqual(["30", "false"]);
  });

  it("of LiteLLM's own to a key that is no tenant's goes through untouched", async () => {
    const body = new Response('{"error":{"type":"budget_exceeded"}}').body;
    world.models.next = aModelAnswer({ status: 429, budgetRefusal: "Budget has been exceeded!", body });
    expect(await chat()).toMatchObject({ status: 429, body: { error: { type: "budget_exceeded" } } });
  });
});

describe("who may call", () => {
  it("nobody without a key: 401, in OpenAI's words too", async () => {
    const { status, body } = await chat({});
    expect([status, body.type, body.error.type]).toEqual([
      401,
      "urn:bursar:problem:unauthorized",
      "authentication_error",
    ]);
  });

  it("a key that is no tenant's may by default, and may not under UNMANAGED_KEYS=block", async () => {
    expect((await chat()).status).toBe(200);
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    const { status, body } = await chat();
    expect([status, body.error.code]).toEqual([401, "unknown-key"]);
    expect(JSON.stringify([body, world.log.lines])).not.toContain(VIRTUAL_KEY);
  });

  it("such keys are counted, and too many are a 429, under block alone", async () => {
    world.callers.isAllowed = false;
    expect((await chat()).status).toBe(200);
    expect(world.callers.asked).toEqual([]);
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    expect((await chat()).status).toBe(429);
  });

  it("a demand for freshness is meant for LiteLLM's cache: it costs no read here, and goes on", async () => {
    world.hasTenant({ subject });
    await chat({ authorization: `Bearer ${VIRTUAL_KEY}`, "cache-control": "no-cache" });
    expect(world.litellm.reads).toEqual([]);
    expect(firstCall()?.headers.get("cache-control")).toBe("no-cache");
  });
});

describe("which paths there are", () => {
  it.each(["/llm", "/llm/", "/llm/key/info", "/llm/v1/files", "/llm/v1/models/%ff"])("%s: 404", async (path) => {
    const { status, body } = await world.call(path, { token: VIRTUAL_KEY });
    expect([status, body.type, body.error.type]).toEqual([
      404,
      "urn:bursar:problem:not-found",
      "invalid_request_error",
    ]);
    expect(world.models.calls).toEqual([]);
  });

  it("a known one with another method: 405, and which there are", async () => {
    const { status, headers } = await world.call("/llm/v1/responses/resp_1", { method: "PUT", token: VIRTUAL_KEY });
    expect([status, headers.get("Allow")]).toEqual([405, "GET, DELETE"]);
  });
});

it("elsewhere a problem has no word of OpenAI's", async () => {
  world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
  const { headers, body } = await world.ask();
  expect([body.error, headers.get("x-should-retry")]).toEqual([undefined, null]);
});
