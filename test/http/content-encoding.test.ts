// Encoded bodies: 415 with the name of the encoding, wherever Bursar reads a body.

import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GUARD_PATH } from "../../src/http/litellm/guard.ts";
import { NOW } from "../budget/builders.ts";
import { VIRTUAL_KEY } from "../support/builders/virtual-key.ts";
import { BEARER, BY_TOKEN, CAPTURES, EndpointsWorld, EVENTS, hexSignature, SIGNED } from "./litellm/endpoints.ts";
import { NONE, TOKEN } from "./litellm/guard-world.ts";

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

const TEXT = JSON.stringify(CAPTURES.threshold);
const GZIP = new Uint8Array(gzipSync(TEXT));
const ADMIN = { authorization: "Bearer admin-token" };

const SENDERS: [string, string, Record<string, string>][] = [
  ["a webhook whose signature is of the encoded bytes", SIGNED, { "x-litellm-signature": hexSignature(GZIP) }],
  ["a webhook whose signature is of the plain bytes", SIGNED, { "x-litellm-signature": hexSignature(TEXT) }],
  ["a stock webhook", BY_TOKEN, {}],
  ["call events", EVENTS, BEARER],
  ["a new tenant", "/v1/tenants", ADMIN],
  ["an override", "/v1/tenants/acme/overrides", ADMIN],
  ["a sender without a token", "/v1/tenants", {}],
];

describe("a gzip body", () => {
  it.each(SENDERS)("gets a 415 that names the encoding and what to do: %s", async (_, path, headers) => {
    const answer = await world.post(path, GZIP, { ...headers, "content-encoding": "gzip" });
    expect([answer.status, answer.body.type]).toEqual([415, "urn:bursar:problem:unsupported-encoding"]);
    expect(answer.body.detail).toBe(
      "The body has Content-Encoding: gzip. Send it unencoded, without Content-Encoding.",
    );
    expect(answer.headers.get("Accept-Encoding")).toBe("identity");
    expect(world.messages).toEqual([]);
  });

  it("passes through Gate for LiteLLM to read", async () => {
    const headers = { authorization: `Bearer ${VIRTUAL_KEY}`, "content-encoding": "gzip" };
    expect((await world.post("/llm/v1/chat/completions", GZIP, headers)).status).toBe(200);
    expect(world.models.calls[0]?.headers.get("content-encoding")).toBe("gzip");
  });

  it("gets a 200 from Guard, which cannot read it and logs it as encoded", async () => {
    const { status, body } = await world.post(GUARD_PATH, GZIP, { ...TOKEN, "content-encoding": "gzip" });
    expect([status, body]).toEqual([200, NONE]);
    expect(world.log.lines.join()).toContain("warn encoded guardrail request");
  });
});

it.each(["br", "zstd", "gzip, identity", "GZIP"])("refuses the encoding %s", async (encoding) => {
  const { status, body } = await world.post(BY_TOKEN, TEXT, { "content-encoding": encoding });
  expect(status).toBe(415);
  expect(body.detail).toContain(encoding);
});

it.each(["identity", "Identity", " "])("accepts the encoding %j", async (encoding) => {
  expect((await world.post(BY_TOKEN, TEXT, { "content-encoding": encoding })).status).toBe(200);
});

it("ignores the encoding of a request without a body", async () => {
  const headers = { ...ADMIN, "content-encoding": "gzip" };
  expect((await world.call("/v1/tenants/nobody/check", { headers })).status).toBe(404);
});
