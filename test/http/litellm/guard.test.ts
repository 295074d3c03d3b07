// Guard over HTTP: its answer before each call, the text of its refusals, and a 200 whatever breaks.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { FailPolicy, TenantConfig } from "../../../src/budget/tenant.ts";
import { GUARD_PATH } from "../../../src/http/litellm/guard.ts";
import { DAY, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { POLICY } from "../../support/worlds/check-world.ts";
import { TOKENS } from "../../support/worlds/http-world.ts";
import { bytes, streamOf } from "./endpoints.ts";
import { aQuestion, blocked, GuardWorld, type Json, NONE, SPEND_UNKNOWN, TOKEN } from "./guard-world.ts";

let world: GuardWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new GuardWorld();
});
afterEach(() => void vi.useRealTimers());

const hasTenant = (config: Partial<TenantConfig> = {}, spend: Partial<SpendRecord> | null = {}) =>
  world.hasTenant(config, spend);
const OVER = { spendNanoUsd: usd("552") };
const STALE = { observedAt: NOW - 11 * MINUTE, readAt: NOW - 11 * MINUTE };
const EXCEEDED = "Budget exceeded for tenant acme. Current: $552.00, Limit: $500.00. Contact admin to increase budget.";
const NOT_MANAGED = "No tenant has this virtual key. Contact admin to add it to a tenant.";

async function answerTo(question: Parameters<GuardWorld["guard"]>[0]) {
  const { status, body } = await world.guard(question);
  expect(status).toBe(200);
  return body;
}

describe("LiteLLM's request", () => {
  it("answers NONE for a tenant within its budget", async () => {
    hasTenant();
    const { status, headers, body } = await world.guard(aQuestion());
    expect([status, body]).toEqual([200, NONE]);
    expect(headers.get("Content-Type")).toBe("application/json");
  });

  it("R3: answers BLOCKED with the text of the 402 over the block threshold", async () => {
    hasTenant({}, OVER);
    expect(await answerTo(aQuestion())).toEqual(blocked(EXCEEDED));
  });

  it.each([
    ["109.99", NONE],
    ["110.00", expect.objectContaining({ action: "BLOCKED" })],
  ])("X4: decides at %s percent", async (percent, expected) => {
    hasTenant({ maxBudgetNanoUsd: usd("100") }, { spendNanoUsd: usd(percent) });
    expect(await answerTo(aQuestion())).toEqual(expected);
  });

  it.each([
    [{ litellmBlockedAt: NOW }, "is blocked in LiteLLM"],
    [{ subjectMissingAt: NOW, failPolicy: "closed" }, "LiteLLM does not have the key or team"],
  ] as const)("says what LiteLLM has answered of the key (%j)", async (config, words) => {
    hasTenant(config);
    expect(await answerTo(aQuestion())).toEqual(blocked(expect.stringContaining(words)));
  });

  it("X1: answers BLOCKED for a zero budget", async () => {
    hasTenant({ maxBudgetNanoUsd: 0n });
    const words = "Tenant acme has no budget: its limit is zero. Contact admin to set a limit.";
    expect(await answerTo(aQuestion())).toEqual(blocked(words));
  });

  it("answers BLOCKED for a suspended tenant, and says so", async () => {
    hasTenant({ suspendedAt: NOW - DAY });
    expect(await answerTo(aQuestion())).toEqual(blocked("Tenant acme is suspended. Contact admin to resume it."));
  });

  it("answers NONE for an observed tenant, however high its spend", async () => {
    hasTenant({ enforcement: "observe" }, OVER);
    expect(await answerTo(aQuestion())).toEqual(NONE);
  });

  it.each<[FailPolicy, Json]>([
    ["open", NONE],
    ["closed", blocked(SPEND_UNKNOWN)],
  ])("follows the fail policy of a tenant with unknown spend: %s", async (failPolicy, expected) => {
    hasTenant({ failPolicy }, STALE);
    world.litellm.nextTries.push(AWAY);
    expect(await answerTo(aQuestion())).toEqual(expected);
  });

  it.each<[string, () => void]>([
    ["a tenant over its block threshold", () => void hasTenant({}, OVER)],
    ["a suspended tenant", () => void hasTenant({ suspendedAt: NOW - DAY })],
    ["an unmanaged key", () => {}],
  ])("answers NONE to the answer of a model, which is paid for: %s", async (_, isGiven) => {
    isGiven();
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    expect(await answerTo(aQuestion(undefined, { input_type: "response" }))).toEqual(NONE);
    expect((await answerTo(aQuestion(undefined, { input_type: "request" }))).action).toBe("BLOCKED");
  });

  it("finds the tenant of a raw key, with or without its scheme", async () => {
    hasTenant({ subject: { kind: "key", id: sha256(VIRTUAL_KEY) } }, OVER);
    for (const named of [VIRTUAL_KEY, `Bearer ${VIRTUAL_KEY}`]) {
      expect(await answerTo(aQuestion({ user_api_key_hash: named }))).toEqual(blocked(EXCEEDED));
    }
  });

  it("parses request_data at any position and in any chunks", async () => {
    hasTenant({}, OVER);
    const { request_data: data, ...rest } = aQuestion();
    for (const question of [
      { request_data: data, ...rest },
      { ...rest, request_data: data },
    ]) {
      const body = bytes(JSON.stringify(question));
      const chunks = Array.from(body, (_, index) => body.subarray(index, index + 1));
      expect(await answerTo(streamOf(chunks))).toEqual(blocked(EXCEEDED));
    }
  });

  it("decides at the end of the upload", async () => {
    const expiresAt = NOW + MINUTE;
    const override = { id: "o", amountNanoUsd: usd("100"), createdAt: NOW - DAY, expiresAt, revokedAt: null };
    hasTenant({ overrides: [override] }, { ...OVER, observedAt: NOW + MINUTE, readAt: NOW + MINUTE });
    const body = bytes(JSON.stringify(aQuestion()));
    const slow = new ReadableStream({
      start: (controller) => controller.enqueue(body.subarray(0, 10)),
      async pull(controller) {
        await world.timers.pass(MINUTE);
        controller.enqueue(body.subarray(10));
        controller.close();
      },
    });
    expect(await answerTo(slow)).toEqual(blocked(EXCEEDED));
  });

  it("queues only confirmed observations", async () => {
    hasTenant();
    await world.guard(aQuestion());
    await world.untilQuiet();
    expect(world.queue.sent).toEqual([]);
  });
});

describe("an unmanaged key", () => {
  const keys: [string, Json][] = [
    ["a key", { user_api_key_hash: hashOf("c") }],
    ["a key of a team", { user_api_key_hash: hashOf("c"), user_api_key_team_id: "team-9" }],
    ["a team", { user_api_key_team_id: "team-9" }],
    ["no one", {}],
  ];
  it.each(keys)("allows an unmanaged key by default: %s", async (_, caller) => {
    hasTenant({ subject: { kind: "team", id: "team-1" } }, OVER);
    expect(await answerTo(aQuestion(caller))).toEqual(NONE);
  });

  it.each(keys)("refuses an unmanaged key under UNMANAGED_KEYS=block: %s", async (_, caller) => {
    hasTenant({ subject: { kind: "team", id: "team-1" } }, OVER);
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    expect(await answerTo(aQuestion(caller))).toEqual(blocked(NOT_MANAGED));
  });

  it("never rate limits unmanaged keys, because LiteLLM's address is shared", async () => {
    for (let index = 0; index < 400; index++) await world.guard(aQuestion({ user_api_key_hash: sha256(`${index}`) }));
    hasTenant({}, OVER);
    world.kv.owners.clear();
    expect(await answerTo(aQuestion())).toEqual(blocked(EXCEEDED));
  });

  it.each([{}, { request_data: null }])("logs a request without key or team: %j", async (differences) => {
    const { request_data: _, ...rest } = aQuestion();
    await world.guard({ ...rest, ...differences });
    expect(
      world.log.lines.filter((line) => line.startsWith("warn guardrail request without key or team")),
    ).toHaveLength(1);
  });
});

describe("a key of a team tenant", () => {
  const inTeam = { user_api_key_hash: hashOf("b"), user_api_key_team_id: "team-1" };
  beforeEach(() => void hasTenant({ subject: { kind: "team", id: "team-1" } }, OVER));

  it("resolves to the tenant without waiting for LiteLLM", async () => {
    world.reads.trouble("readSubject", "hangs");
    expect(await answerTo(aQuestion(inTeam))).toEqual(blocked(EXCEEDED));
  });

  it("finds the key in memory the next time", async () => {
    await world.guard(aQuestion(inTeam));
    await world.untilQuiet();
    await world.guard(aQuestion(inTeam));
    expect([world.tenants.calls("findByKey"), world.tenants.calls("findBySubject")]).toEqual([1, 1]);
  });

  it("gets refused when its team is over budget, though the key is a tenant within its own", async () => {
    hasTenant({ tenantId: "own" as TenantConfig["tenantId"], subject: { kind: "key", id: hashOf("b") } });
    expect(await answerTo(aQuestion(inTeam))).toEqual(blocked(EXCEEDED));
    expect(await answerTo(aQuestion({ user_api_key_hash: hashOf("b") }))).toEqual(NONE);
  });

  it("asks LiteLLM for the team that LiteLLM has not sent with the key", async () => {
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-1" }));
    const { user_api_key_team_id: _, ...unsaid } = inTeam;
    expect(await answerTo(aQuestion(unsaid))).toEqual(blocked(EXCEEDED));
  });

  it("resolves a JWT caller by its team, without a key", async () => {
    const caller = { user_api_key_team_id: "team-1" };
    expect(await answerTo(aQuestion(caller))).toEqual(blocked(EXCEEDED));
    await world.untilQuiet();
    expect(await answerTo(aQuestion(caller))).toEqual(blocked(EXCEEDED));
    expect(world.tenants.calls("findBySubject")).toBe(1);
  });

  it("keeps callers without a key apart by team", async () => {
    expect(await answerTo(aQuestion({ user_api_key_team_id: "team-9" }))).toEqual(NONE);
    expect(await answerTo(aQuestion({ user_api_key_team_id: "team-1" }))).toEqual(blocked(EXCEEDED));
  });

  it("follows a key that leaves the team and comes back", async () => {
    await world.guard(aQuestion(inTeam));
    await world.untilQuiet();
    const left = { ...inTeam, user_api_key_team_id: null };
    expect(await answerTo(aQuestion(left))).toEqual(NONE);
    await world.untilQuiet();
    await world.timers.pass(MINUTE);
    vi.setSystemTime(NOW + MINUTE);
    expect(await answerTo(aQuestion(inTeam))).toEqual(blocked(EXCEEDED));
  });
});

describe("callers", () => {
  it.each([
    ["no token", {}],
    ["a wrong one", { "x-api-key": "guess" }],
    ["an empty one", { "x-api-key": "" }],
    ["a token of another door", { "x-api-key": "events-token" }],
    ["the right one as a bearer", { authorization: "Bearer guardrail-token" }],
  ])("answers 401 without a lookup: %s", async (_, headers) => {
    hasTenant({}, OVER);
    const { status, body } = await world.guard(aQuestion(), headers);
    expect([status, body.type]).toEqual([401, "urn:bursar:problem:unauthorized"]);
    expect(world.snapshots.calls("ownerOf")).toBe(0);
  });

  it.each(TOKENS.guardrail)("accepts any token of the list: %s", async (token) => {
    expect((await world.guard(aQuestion(), { "x-api-key": token })).body).toEqual(NONE);
  });

  it("answers 405 to another method", async () => {
    expect((await world.call(GUARD_PATH, { headers: TOKEN })).status).toBe(405);
  });
});

it("logs no prompt, key or token", async () => {
  hasTenant({}, STALE);
  world.litellm.nextTries.push(AWAY);
  await world.guard(aQuestion({ user_api_key_hash: hashOf("a") }, { texts: ["my secret"] }));
  await world.guard(JSON.stringify(aQuestion({}, { texts: ["my secret"] })).slice(0, -3));
  await world.untilQuiet();
  expect(world.log.lines.length).toBeGreaterThan(1);
  expect(JSON.stringify(world.log.lines)).not.toMatch(/secret|guardrail-token|aaaaaaaa/);
});
