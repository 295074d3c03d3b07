// Authentication: read tokens read, admin tokens do both, and no answer shows a token.

import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import type { AppEnv } from "../../src/http/app-env.ts";
import { bearerOf, requireAdmin, requireRead } from "../../src/http/auth.ts";
import { sha256 } from "../support/builders/virtual-key.ts";
import { TOKENS } from "../support/worlds/http-world.ts";

const app = new Hono<AppEnv>()
  .use(async (c, next) => {
    c.set("tokens", TOKENS);
    c.set("now", 7);
    c.set("requestId", "request-1");
    await next();
  })
  .get("/admin", requireAdmin, (c) => c.json(c.get("actor")))
  .get("/read", requireRead, (c) => c.json(c.get("actor")));

const call = (path: string, authorization?: string) =>
  app.request(path, authorization === undefined ? {} : { headers: { authorization } });

describe("a token", () => {
  it.each([
    ["/admin", "admin-token", "alice"],
    ["/read", "admin-token", "alice"],
    ["/read", "read-token", "reader"],
    ["/read", "read-token-2", "second"],
  ])("accepts on %s the token %s as the actor %s", async (path, token, name) => {
    const response = await call(path, `Bearer ${token}`);
    expect(await response.json()).toMatchObject({ name, requestId: "request-1", now: 7 });
  });

  it.each([
    ["none", "/read", undefined],
    ["an empty one", "/read", "Bearer "],
    ["the beginning of one", "/read", "Bearer read-toke"],
    ["one and more", "/read", "Bearer read-token-"],
    ["one in another case", "/read", "Bearer READ-TOKEN"],
    ["its hash", "/read", `Bearer ${sha256("read-token")}`],
    ["one of another scheme", "/read", "Token read-token"],
    ["one without a scheme", "/read", "read-token"],
  ])("answers 401 without repeating the token: %s", async (_, path, authorization) => {
    const response = await call(path, authorization);
    expect(response.status).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toBe('Bearer realm="bursar"');
    expect(await response.text()).not.toContain("read-tok");
  });
});

it("tells who sends a virtual key in the place of a token where it belongs", async () => {
  const response = await call("/read", "Bearer sk-secret");
  const text = await response.text();
  expect([response.status, text]).toEqual([401, expect.stringContaining("GET /v1/budget")]);
  expect(text).not.toContain("sk-secret");
});

it("answers 403 to a read token on an admin's route, and 401 to one that is neither", async () => {
  const weak = await call("/admin", "Bearer read-token");
  expect([weak.status, await weak.json()]).toMatchObject([403, { type: "urn:bursar:problem:admin-token-required" }]);
  expect(weak.headers.get("WWW-Authenticate")).toBe('Bearer realm="bursar", error="insufficient_scope"');
  expect((await call("/admin", "Bearer read-toke")).status).toBe(401);
});

it.each([
  ["Bearer abc", "abc"],
  ["BEARER   abc  ", "abc"],
  ["Bearer abc\tdef", null],
  ["Bearer äbc", null],
  ["Bearerabc", null],
  [undefined, null],
])("parses the header %j as the bearer %j", (header, token) => {
  expect(bearerOf(header)).toBe(token);
});
