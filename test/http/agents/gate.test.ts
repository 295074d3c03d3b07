// Gate over HTTP with a double of LiteLLM: what the agent receives, and what LiteLLM receives.

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
});
afterEach(() => void vi.useRealTimers());

const subject = { kind: "key", id: sha256(VIRTUAL_KEY) } as const;
const CHAT = "/llm/v1/chat/completions";
const chat = (headers: Record<string, string> = { authorization: `Bearer ${VIRTUAL_KEY}` }) =>
  world.call(CHAT, { method: "POST", headers, body: '{"model":"mock"}' });
const firstCall = () => world.models.calls[0];

describe("an allowed call", () => {
  beforeEach(() => void world.hasTenant({ subject }));

  it("returns LiteLLM's answer with Bursar's request id and no-store", async () => {
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

  it("forwards method, plain path, query and body", async () => {
    const headers = { "x-api-key": VIRTUAL_KEY, "content-type": "application/json" };
    await world.call("/llm//v1/messages/?beta=true&key=sk-2", { method: "POST", headers, body: '{"a":1}' });
    const call = firstCall();
    expect([call?.method, call?.path]).toEqual(["POST", "/v1/messages?beta=true"]);
    expect(call?.headers.get("authorization")).toBe(`Bearer ${VIRTUAL_KEY}`);
    expect(await new Response(call?.body ?? null).text()).toBe('{"a":1}');
  });

  it("forwards a body of any size without reading it", async () => {
    const body = "x".repeat(3 * 1024 * 1024);
    const headers = { authorization: `Bearer ${VIRTUAL_KEY}`, "content-length": String(body.length) };
    expect((await world.call(CHAT, { method: "POST", headers, body })).status).toBe(200);
  });

  it("returns LiteLLM's own failure unchanged", async () => {
    world.models.next = aModelAnswer({ status: 500, body: new Response('{"error":{"message":"theirs"}}').body });
    const { status, body } = await chat();
    expect([status, body]).toEqual([500, { error: { message: "theirs" } }]);
  });

  it("answers a retryable 503 when the call did not reach LiteLLM", async () => {
    world.models.next = { kind: "unreachable", why: "status 521", mayHaveArrived: false };
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

  it("says of a call that broke off that it may have been charged, and that it should not be repeated", async () => {
    world.models.next = { kind: "unreachable", why: "network", mayHaveArrived: true };
    const { status, headers, body } = await chat();
    expect([status, body.type]).toEqual([502, "urn:bursar:problem:call-broken-off"]);
    expect(body.error).toMatchObject({ message: body.detail, type: "api_error", code: "call-broken-off" });
    expect(body.detail).toContain("may have been charged");
    expect([headers.get("Retry-After"), headers.get("x-should-retry")]).toEqual([null, "false"]);
  });
});

describe("a tenant over its block threshold", () => {
  const call = (method: string, path: string) => world.call(`/llm${path}`, { method, token: VIRTUAL_KEY });
  const FREE = [
    ["POST", "/v1/responses/resp_1/cancel"],
    ["POST", "/v1beta/interactions/int_1/cancel"],
    ["POST", "/v1/messages/count_tokens"],
    ["GET", "/v1/responses/resp_1"],
    ["DELETE", "/v1/responses/resp_1"],
    ["HEAD", "/v1/models"],
  ] as const;

  it.each(FREE)("may still %s %s, which spends nothing", async (method, path) => {
    world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
    const { status, headers } = await call(method, path);
    expect([status, headers.get("X-Bursar-State")]).toEqual([200, "blocked"]);
    expect(firstCall()?.path).toBe(path);
  });

  it.each(FREE)("may not %s %s while it is suspended", async (method, path) => {
    world.hasTenant({ subject, suspendedAt: NOW });
    expect((await call(method, path)).status).toBe(403);
    expect(world.models.calls).toEqual([]);
  });

  it("gets the ordinary 402 when LiteLLM itself refuses a cancellation", async () => {
    world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
    world.models.next = aModelAnswer({ status: 422, isBudgetRefusal: true });
    const { status, body } = await call("POST", "/v1/responses/resp_1/cancel");
    expect([status, body.reason]).toEqual([402, "over_grace"]);
  });
});

describe("a refusal", () => {
  it("R3: answers 402 with the amounts over the block threshold, in a form that OpenAI's SDKs show and do not retry", async () => {
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

  it("answers 403 in the same form for a suspended tenant", async () => {
    world.hasTenant({ subject, suspendedAt: NOW });
    const { status, headers, body } = await chat();
    expect([status, body.error.type, body.error.code]).toEqual([403, "budget_exceeded", "suspended"]);
    expect(headers.get("x-should-retry")).toBe("false");
  });

  it.each([
    ["litellm_blocked", 403, "budget_exceeded", { litellmBlockedAt: NOW }],
    ["subject_missing", 503, "api_error", { subjectMissingAt: NOW, failPolicy: "closed" }],
  ] as const)("answers %s in the same form", async (reason, expected, type, config) => {
    world.hasTenant({ subject, ...config });
    const { status, body } = await chat();
    expect([status, body.error.type, body.error.code, body.reason]).toEqual([expected, type, reason, reason]);
    expect(world.models.calls).toEqual([]);
  });

  it("answers a retryable 503 under a closed fail policy", async () => {
    world.hasTenant({ subject, failPolicy: "closed" }, null);
    world.reads.trouble("readSubject", new Error("down"));
    const { status, headers, body } = await chat();
    expect([status, body.error.type, body.error.code]).toEqual([503, "api_error", "spend_unknown"]);
    expect([headers.get("Retry-After"), headers.get("x-should-retry")]).toEqual(["5", null]);
  });

  it("returns LiteLLM's refusal of an unmanaged key unchanged", async () => {
    const body = new Response('{"error":{"type":"budget_exceeded"}}').body;
    world.models.next = aModelAnswer({ status: 429, isBudgetRefusal: true, body });
    expect(await chat()).toMatchObject({ status: 429, body: { error: { type: "budget_exceeded" } } });
  });
});

describe("callers", () => {
  it("answers 401 without a key, with OpenAI's error member", async () => {
    const { status, body } = await chat({});
    expect([status, body.type, body.error.type]).toEqual([
      401,
      "urn:bursar:problem:unauthorized",
      "authentication_error",
    ]);
  });

  it("forwards an unmanaged key by default, and refuses it under UNMANAGED_KEYS=block", async () => {
    expect((await chat()).status).toBe(200);
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    const { status, body } = await chat();
    expect([status, body.error.code]).toEqual([401, "unknown-key"]);
    expect(JSON.stringify([body, world.log.lines])).not.toContain(VIRTUAL_KEY);
  });

  it.each(["allow", "block"] as const)(
    "answers 429 to too many keys that nobody has, under UNMANAGED_KEYS=%s",
    async (unmanagedKeys) => {
      world.policy = { ...POLICY, unmanagedKeys };
      await world.guessKeys("unknown");
      expect((await chat()).status).toBe(429);
      expect(world.models.calls).toEqual([]);
    },
  );

  it("forwards Cache-Control to LiteLLM without reading the spend", async () => {
    world.hasTenant({ subject });
    await chat({ authorization: `Bearer ${VIRTUAL_KEY}`, "cache-control": "no-cache" });
    expect(world.litellm.reads).toEqual([]);
    expect(firstCall()?.headers.get("cache-control")).toBe("no-cache");
  });
});

describe("paths", () => {
  it.each(["/llm", "/llm/", "/llm/key/info", "/llm/v1/files", "/llm/v1/models/%ff"])(
    "answers 404 for %s",
    async (path) => {
      const { status, body } = await world.call(path, { token: VIRTUAL_KEY });
      expect([status, body.type, body.error.type]).toEqual([
        404,
        "urn:bursar:problem:not-found",
        "invalid_request_error",
      ]);
      expect(world.models.calls).toEqual([]);
    },
  );

  it("answers 405 with the allowed methods for a known path", async () => {
    const { status, headers } = await world.call("/llm/v1/responses/resp_1", { method: "PUT", token: VIRTUAL_KEY });
    expect([status, headers.get("Allow")]).toEqual([405, "GET, HEAD, DELETE"]);
  });

  it("asks LiteLLM, which has no HEAD, with GET, and answers HEAD without the body", async () => {
    world.hasTenant({ subject });
    const { status, body } = await world.call("/llm/v1/models", { method: "HEAD", token: VIRTUAL_KEY });
    expect([status, body, firstCall()?.method]).toEqual([200, null, "GET"]);
  });
});

it("has no OpenAI error member outside Gate", async () => {
  world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
  const { headers, body } = await world.ask();
  expect([body.error, headers.get("x-should-retry")]).toEqual([undefined, null]);
});
