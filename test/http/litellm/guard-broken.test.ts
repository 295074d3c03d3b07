// Guard with an unparseable request or a bug in Bursar: a 200 by the fail policy, and a log line.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { FailPolicy } from "../../../src/budget/tenant.ts";
import { ConfigError } from "../../../src/config.ts";
import { GUARD_PATH } from "../../../src/http/litellm/guard.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { POLICY } from "../../support/worlds/check-world.ts";
import { TOKENS } from "../../support/worlds/http-world.ts";
import { bytes } from "./endpoints.ts";
import { aQuestion, blocked, GuardWorld, type Json, NONE, SPEND_UNKNOWN, TOKEN } from "./guard-world.ts";

let world: GuardWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new GuardWorld();
  world.hasTenant({}, { spendNanoUsd: usd("552") });
});
afterEach(() => void vi.useRealTimers());

async function answerTo(question: Parameters<GuardWorld["guard"]>[0]) {
  const { status, body } = await world.guard(question);
  expect(status).toBe(200);
  return body;
}

/** Bodies that LiteLLM never sends: whatever its prompts contain, the JSON around them is valid. */
const UNREADABLE: [string, string][] = [
  ["empty", ""],
  ["no JSON", "<html>"],
  ["broken off", JSON.stringify(aQuestion()).slice(0, -1)],
  ["broken off in a prompt", '{"texts":["tell me'],
  ["a list", JSON.stringify([aQuestion()])],
  ["two of them", `${JSON.stringify(aQuestion())}\n${JSON.stringify(aQuestion())}`],
  ["one and a comma", `${JSON.stringify(aQuestion())},`],
  ["a number", "7"],
  ["null", "null"],
  ["with request_data that is none", '{"request_data":"me"}'],
  ["with a hash that is none", '{"request_data":{"user_api_key_hash":7}}'],
  [
    "with more names than anybody sends",
    JSON.stringify(Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`name-${i}`, i]))),
  ],
];

describe("an unparseable request", () => {
  it.each(UNREADABLE)("answers by the fail policy and logs no text of the body: %s", async (_, body) => {
    expect(await answerTo(body)).toEqual(NONE);
    world.policy = { ...POLICY, defaultFailPolicy: "closed", unmanagedKeys: "allow" };
    expect(await answerTo(body)).toEqual(blocked(SPEND_UNKNOWN));
    expect(world.log.lines).toEqual([
      expect.stringMatching(/^warn unparseable guardrail request \{"request_id":"[\w-]+"\}$/),
      expect.stringMatching(/^warn unparseable guardrail request/),
    ]);
  });

  it("treats a disconnecting sender the same", async () => {
    const breaking = new ReadableStream({
      start: (controller) => controller.enqueue(bytes('{"texts":["secret')),
      pull: (controller) => controller.error(new Error("gone")),
    });
    expect(await answerTo(breaking)).toEqual(NONE);
    expect(world.log.lines).toEqual([expect.stringMatching(/^warn unparseable guardrail request/)]);
    expect(JSON.stringify(world.log.lines)).not.toContain("secret");
  });
});

describe("a bug in Bursar", () => {
  const brokenBy = (differences: Partial<Ports>) => {
    const app = createApp(() => ({ ports: { ...world.ports(), ...differences }, tokens: TOKENS }));
    const request = { method: "POST", headers: TOKEN, body: JSON.stringify(aQuestion()) };
    return Promise.resolve(
      app.request(GUARD_PATH, request, {}, { waitUntil() {}, passThroughOnException() {}, props: {} }),
    );
  };
  const memory = {
    get teamOf(): never {
      throw new TypeError("a bug");
    },
  } as unknown as Ports["memory"];

  it.each<[FailPolicy, Json]>([
    ["open", NONE],
    ["closed", blocked(SPEND_UNKNOWN)],
  ])("answers 200 by the fail policy (%s) and logs an error", async (defaultFailPolicy, expected) => {
    const response = await brokenBy({ memory, policy: { ...POLICY, defaultFailPolicy } });
    expect([response.status, await response.json()]).toEqual([200, expected]);
    expect(world.log.lines).toEqual([expect.stringMatching(/^error guardrail failed .*TypeError: a bug$/)]);
  });

  it("answers 200 with an invalid configuration too", async () => {
    const app = createApp(() => {
      throw new ConfigError(["GUARDRAIL_TOKENS: missing"]);
    });
    const response = await app.request(GUARD_PATH, { method: "POST", headers: TOKEN, body: "{}" });
    expect([response.status, await response.json()]).toEqual([200, NONE]);
  });
});
