// Gate's own words beside LiteLLM's: its refusals, Anthropic's envelope, and how much is left near the limit.

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
const post = (path: string, headers: Record<string, string> = {}) =>
  world.call(`/llm/${path}`, { method: "POST", token: VIRTUAL_KEY, headers, body: "{}" });
const chat = () => post("v1/chat/completions");

describe("a call that LiteLLM refuses for a budget of its own", () => {
  const KEY_HASH = "b4d30d4d".repeat(8);
  beforeEach(() => {
    const text = `{"error":{"type":"budget_exceeded","message":"Key=${KEY_HASH} Current cost: 491.76"}}`;
    world.models.next = aModelAnswer({ status: 422, isBudgetRefusal: true, body: new Response(text).body });
  });

  it("answers a retryable 429 with the tenant's true state, and none of LiteLLM's words", async () => {
    world.hasTenant({ subject });
    const { status, headers, body } = await chat();
    const detail =
      "LiteLLM refused this call for a budget or a reservation of its own, not for the budget of tenant acme: $100.00 of $500.00 used.";
    expect([status, headers.get("Retry-After"), headers.get("x-should-retry")]).toEqual([429, "1", null]);
    expect(body).toMatchObject({
      type: "urn:bursar:problem:litellm-refused-call",
      detail,
      allowed: false,
      state: "ok",
      reason: "litellm_refused",
      spend: 100,
      remaining: 400,
      error: { message: detail, type: "rate_limit_error", param: null, code: "litellm_refused" },
    });
    expect(body.remediation.join()).toMatch(
      /Retry .*max_tokens.*disable_budget_reservation.*which other LiteLLM budget/,
    );
    expect(JSON.stringify([body, [...headers], world.log.lines])).not.toMatch(/b4d30d4d|491/);
  });

  it("answers the ordinary 402 when the tenant has reached its block threshold by then", async () => {
    const config = world.hasTenant({ subject }, { spendNanoUsd: usd("540") });
    world.models.onCall = () => {
      const spend = world.memory.tenant(config.tenantId)?.spend ?? null;
      const grown = spend && { ...spend, spendNanoUsd: usd("552") };
      world.memory.rememberTenant(config.tenantId, { config, spend: grown }, NOW);
    };
    const { status, headers, body } = await chat();
    expect([status, body.reason, body.spend]).toEqual([402, "over_grace", 552]);
    expect(body.detail).toMatch(/^Budget exceeded for tenant acme\. Current: \$552\.00/);
    expect([headers.get("x-should-retry"), body.error.type]).toEqual(["false", "budget_exceeded"]);
  });
});

describe("Anthropic's envelope", () => {
  it.each(["v1/messages", "messages", "/v1//messages/"])(
    "carries a refusal and Bursar's members on %s",
    async (path) => {
      world.hasTenant({ subject }, { spendNanoUsd: usd("552") });
      const { status, headers, body } = await post(path);
      const message =
        "Budget exceeded for tenant acme. Current: $552.00, Limit: $500.00. Contact admin to increase budget.";
      expect([status, headers.get("Content-Type")]).toEqual([402, "application/json"]);
      expect(headers.get("x-should-retry")).toBe("false");
      expect(body).toMatchObject({
        type: "error",
        error: { type: "billing_error", message, code: "over_grace", litellm_error_type: "budget_exceeded" },
        problem_type: "urn:bursar:problem:budget-exceeded",
        detail: message,
        request_id: headers.get("X-Request-Id"),
        state: "blocked",
        spend: 552,
      });
    },
  );

  it("carries the suspension of a tenant that counts tokens", async () => {
    world.hasTenant({ subject, suspendedAt: NOW });
    const { status, body } = await post("v1/messages/count_tokens");
    expect([status, body.type, body.error.type]).toEqual([403, "error", "permission_error"]);
  });

  it("carries a refusal by LiteLLM as a rate limit", async () => {
    world.hasTenant({ subject });
    world.models.next = aModelAnswer({ status: 422, isBudgetRefusal: true });
    const { status, body } = await post("v1/messages");
    expect([status, body.type, body.error.type, body.error.code, body.error.litellm_error_type]).toEqual([
      429,
      "error",
      "rate_limit_error",
      "litellm_refused",
      undefined,
    ]);
  });

  it("carries every other error: no key, an unknown one, a method, an outage and a suspension", async () => {
    const errorOf = async (call: Promise<{ status: number; body: { type: string; error: { type: string } } }>) => {
      const { status, body } = await call;
      expect(body.type).toBe("error");
      return [status, body.error.type];
    };
    const path = "/llm/v1/messages";
    expect(await errorOf(world.call(path, { method: "POST" }))).toEqual([401, "authentication_error"]);
    expect(await errorOf(world.call(path, { method: "PUT" }))).toEqual([405, "invalid_request_error"]);
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    expect(await errorOf(post("v1/messages"))).toEqual([401, "authentication_error"]);
    const config = world.hasTenant({ subject });
    world.models.next = { kind: "unreachable", why: "network", mayHaveArrived: true };
    world.policy = POLICY;
    world.memory.forgetTenantOf(subject.id);
    expect(await errorOf(post("v1/messages"))).toEqual([502, "api_error"]);
    world.memory.forgetTenant(config.tenantId);
    world.hasTenant({ subject, suspendedAt: NOW });
    expect(await errorOf(post("v1/messages"))).toEqual([403, "permission_error"]);
  });

  it("reaches Anthropic's SDK on the list of models, and nobody on other paths", async () => {
    const typeOf = async (path: string, headers: Record<string, string>) =>
      (await world.call(`/llm/${path}`, { headers })).body.type;
    const anthropics = { "anthropic-version": "2023-06-01" };
    expect(await typeOf("v1/models", anthropics)).toBe("error");
    expect(await typeOf("v1/models", {})).toBe("urn:bursar:problem:unauthorized");
    expect(await typeOf("v1/files", anthropics)).toBe("urn:bursar:problem:not-found");
  });
});

describe("near the limit", () => {
  it.each([
    ["410", "warning", "90"],
    ["499.999999999", "warning", "0.000000001"],
    ["510", "grace", "0"],
  ])("an answer at $%s of $500 says %s and what remains", async (spend, state, remaining) => {
    world.hasTenant({ subject }, { spendNanoUsd: usd(spend) });
    const { status, headers, body } = await chat();
    expect([status, body.object]).toEqual([200, "chat.completion"]);
    expect([headers.get("X-Bursar-State"), headers.get("X-Bursar-Remaining")]).toEqual([state, remaining]);
  });

  it("counts the call that the answer reports", async () => {
    world.hasTenant({ subject }, { spendNanoUsd: usd("540") });
    world.models.next = aModelAnswer({ costNanoUsd: usd("11") });
    expect((await chat()).headers.get("X-Bursar-State")).toBe("blocked");
  });

  it("says nothing within the budget, nor to an unmanaged key", async () => {
    expect((await chat()).headers.has("X-Bursar-State")).toBe(false);
    world.memory.forgetTenantOf(subject.id);
    world.hasTenant({ subject });
    world.models.next = aModelAnswer();
    expect((await chat()).headers.has("X-Bursar-Remaining")).toBe(false);
  });
});
