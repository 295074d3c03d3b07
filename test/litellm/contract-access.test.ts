// Which callers a LiteLLM proxy accepts, and how it refuses the others.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Behaviour } from "../../dev/litellm/profiles.ts";
import { type Client, hashOf, send, startTarget } from "./support.ts";

let client: Client;
let behaviour: Behaviour;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ client, behaviour, stop } = await startTarget());
});
afterAll(() => stop());

describe("the management API", () => {
  it.each(["authorization", "x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key"])(
    "takes the master key in %s",
    async (header) => {
      const key = await client.newKey();
      const value = header === "authorization" ? `Bearer ${client.masterKey}` : client.masterKey;
      expect((await send(`${client.url}/key/info?key=${hashOf(key)}`, "GET", { [header]: value })).status).toBe(200);
    },
  );

  it("answers a key that it does not know with 401 and its own type", async () => {
    const { status, body } = await client.call("GET", "/key/info?key=deadbeef", undefined, "sk-wrong");
    expect([status, body.error.type, body.error.code]).toEqual([401, "token_not_found_in_db", "401"]);
    const message = behaviour.release === 110 ? "Invalid API key provided." : "Invalid proxy server token passed.";
    expect(body.error.message).toContain(`Authentication Error, ${message}`);
  });

  it("answers no key, and a key without its scheme, with 401 auth_error", async () => {
    const none = await send(`${client.url}/key/info`, "GET", {});
    const auth_error = { type: "auth_error", code: "401" };
    expect(none.status).toBe(401);
    expect(none.body.error).toMatchObject({ message: "Authentication Error, No api key passed in.", ...auth_error });
    const bare = await send(`${client.url}/key/info`, "GET", { authorization: client.masterKey });
    const message = "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.";
    expect(bare.body.error).toMatchObject({ message, ...auth_error });
  });

  it("refuses to let a tenant's key create or change anything", async () => {
    const key = await client.newKey();
    for (const path of ["/key/generate", "/key/update", "/key/delete", "/key/block", "/team/new", "/budget/new"]) {
      const { status, body } = await client.call("POST", path, { key: hashOf(key) }, key);
      expect([path, status, body.error.type]).toEqual([path, 401, "auth_error"]);
      expect(body.error.message).toContain("Only proxy admin can be used to generate, delete, update info");
    }
  });

  it("lets a key read itself, by name or without, and not the key of another owner", async () => {
    const key = await client.newKey({ user_id: `owner-${randomUUID()}` });
    const other = await client.newKey({ user_id: `owner-${randomUUID()}` });
    const itself = await client.call("GET", "/key/info", undefined, key);
    expect([itself.status, itself.body.key]).toEqual([200, hashOf(key)]);
    expect((await client.call("GET", `/key/info?key=${key}`, undefined, key)).status).toBe(200);
    const foreign = await client.call("GET", `/key/info?key=${hashOf(other)}`, undefined, key);
    expect(foreign.status).toBe(403);
    expect(foreign.body.error.message).toContain("You are not allowed to access this key's info.");
  });

  it("answers a path that it does not have with 404", async () => {
    const { status, body } = await client.call("GET", "/no/such/path");
    expect([status, body]).toEqual([404, { detail: "Not Found" }]);
  });

  it("answers a body that is no JSON with 422", async () => {
    const headers = { authorization: `Bearer ${client.masterKey}`, "content-type": "application/json" };
    const response = await fetch(`${client.url}/key/generate`, { method: "POST", headers, body: "{" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ detail: [{ type: "json_invalid" }] });
  });
});

it("answers liveness and readiness without a key", async () => {
  expect(await send(`${client.url}/health/liveliness`, "GET", {})).toMatchObject({ status: 200, body: "I'm alive!" });
  const ready = await send(`${client.url}/health/readiness`, "GET", {});
  expect([ready.status, ready.body.db]).toEqual([200, "connected"]);
});

it("lists its models to a key", async () => {
  const { status, body } = await client.call("GET", "/v1/models", undefined, await client.newKey());
  expect([status, body.object]).toEqual([200, "list"]);
  expect(body.data[0]).toMatchObject({ object: "model" });
});

describe("a blocked key", () => {
  it("refuses a blocked key at once with 401 and accepts it at once when unblocked", async () => {
    const key = await client.newKey();
    expect((await client.chat(key)).status).toBe(200);
    const blocked = await client.call("POST", "/key/block", { key: hashOf(key) });
    expect([blocked.status, blocked.body.blocked]).toEqual([200, true]);
    const { status, body } = await client.chat(key);
    expect([status, body.error.type, body.error.code]).toEqual([401, "auth_error", "401"]);
    expect(body.error.message).toContain("Authentication Error, Key is blocked. Update via `/key/unblock`");
    expect(body.error.param).toBe(behaviour.errors === "openai" ? null : "None");
    expect((await client.info(key)).blocked).toBe(true);
    await client.call("POST", "/key/unblock", { key: hashOf(key) });
    expect((await client.chat(key)).status).toBe(200);
    expect((await client.info(key)).blocked).toBe(false);
  });

  it("answers 404, or 401 in 1.81, when there is no such key to block", async () => {
    const { status, body } = await client.call("POST", "/key/block", { key: hashOf(randomUUID()) });
    const type = behaviour.unknownKeyStatus === 404 ? "not_found_error" : "token_not_found_in_db";
    expect([status, body.error.type]).toEqual([behaviour.unknownKeyStatus, type]);
  });
});
