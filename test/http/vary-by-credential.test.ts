// Each answer that a credential decides varies with it, so a cache keeps the answers to two keys apart.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW, usd } from "../budget/builders.ts";
import { sha256, VIRTUAL_KEY } from "../support/builders/virtual-key.ts";
import { POLICY } from "../support/worlds/check-world.ts";
import { type Answer, HttpWorld } from "../support/worlds/http-world.ts";

const KEY_HEADERS = [
  "x-litellm-api-key",
  "authorization",
  "api-key",
  "x-api-key",
  "x-goog-api-key",
  "ocp-apim-subscription-key",
];

let world: HttpWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new HttpWorld();
});
afterEach(() => void vi.useRealTimers());

const varied = ({ headers }: Answer) => (headers.get("Vary") ?? "").toLowerCase().split(/, */);
const hasTenant = (spend: string) =>
  world.hasTenant({ subject: { kind: "key", id: sha256(VIRTUAL_KEY) } }, { spendNanoUsd: usd(spend) });

/** A private cache, as RFC 9111 describes it: it serves a stored answer to whoever sends the same values of `Vary`. */
class PrivateCache {
  readonly #stored: { answer: Answer; sent: Headers }[] = [];

  async ask(headers: Record<string, string>): Promise<Answer> {
    const sent = new Headers(headers);
    const isSame = (name: string, other: Headers) => sent.get(name) === other.get(name);
    const hit = this.#stored.find((kept) => varied(kept.answer).every((name) => isSame(name, kept.sent)));
    if (hit !== undefined) return hit.answer;
    const answer = await world.call("/v1/budget", { headers });
    if (/max-age=[1-9]/.test(answer.headers.get("Cache-Control") ?? "")) this.#stored.push({ answer, sent });
    return answer;
  }
}

describe("a client with an HTTP cache and two keys", () => {
  it.each(KEY_HEADERS)("gets each key its own verdict, with the key in %s", async (name) => {
    hasTenant("100");
    const cache = new PrivateCache();
    expect((await cache.ask({ [name]: VIRTUAL_KEY })).body.tenant_id).toBe("acme");
    expect((await cache.ask({ [name]: "sk-of-somebody-else" })).status).toBe(401);
    expect((await cache.ask({ [name]: VIRTUAL_KEY })).headers.get("Cache-Control")).toMatch(/^private, max-age=/);
  });
});

describe("every answer", () => {
  const admin = { token: "admin-token" };
  const agent = { token: VIRTUAL_KEY };
  it.each<[string, string, Parameters<HttpWorld["call"]>[1], number]>([
    ["no key", "/v1/budget", {}, 401],
    ["an unknown key", "/v1/budget", { token: "sk-unknown" }, 401],
    ["a tenant that does not exist", "/v1/tenants/nobody/check", admin, 404],
    ["no token", "/v1/tenants", {}, 401],
    ["a method that the route has not", "/v1/budget", { method: "POST" }, 405],
    ["no such route", "/v1/nothing", agent, 404],
    ["Gate without a key", "/llm/v1/models", {}, 401],
    ["a path that Gate does not forward", "/llm/key/info", agent, 404],
    ["Gate's answer", "/llm/v1/models", agent, 200],
    ["a model's answer", "/llm/v1/chat/completions", { ...agent, method: "POST" }, 200],
    ["invalid fields", "/v1/setup/litellm?secrets=env2", admin, 422],
  ])("varies with the key: %s", async (_, path, options, status) => {
    hasTenant("100");
    const answer = await world.call(path, options);
    expect(answer.status).toBe(status);
    expect(varied(answer)).toEqual(expect.arrayContaining(KEY_HEADERS));
  });

  it.each([
    ["100", 200],
    ["552", 402],
  ])("varies with the key where a cache may keep it: a verdict at %s of 500 dollars", async (spend, status) => {
    hasTenant(spend);
    for (const answer of [await world.ask(), await world.call("/v1/tenants/acme/check", { token: "read-token" })]) {
      expect(answer.status).toBe(status);
      expect(answer.headers.get("Cache-Control")).toMatch(/^private, max-age=[1-9]/);
      expect(varied(answer)).toEqual(expect.arrayContaining(KEY_HEADERS));
    }
  });

  it("varies with the origin too where Gate answers a browser", async () => {
    world.policy = { ...POLICY, corsOrigins: ["https://app.test"] };
    const answer = await world.call("/llm/v1/models", { token: VIRTUAL_KEY, headers: { origin: "https://app.test" } });
    expect(varied(answer)).toEqual(expect.arrayContaining([...KEY_HEADERS, "origin"]));
  });

  it("varies with the key after a bug", async () => {
    world.tenants.trouble("loadEvenDeleted", new Error("down"));
    const answer = await world.call("/v1/tenants/acme", { token: "read-token" });
    expect(answer.status).toBe(500);
    expect(varied(answer)).toEqual(expect.arrayContaining(KEY_HEADERS));
  });
});
