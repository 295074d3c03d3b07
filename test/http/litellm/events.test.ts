// LiteLLM's callback over HTTP: a batch of calls becomes messages of up to a hundred calls. LiteLLM may send a batch
// only once, so valid events count even if others are refused, and each refused one is named.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { spendMessageSchema } from "../../../src/ports/messages.ts";
import { NOW } from "../../budget/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import {
  BEARER,
  bytes,
  CALL,
  CALLS,
  CAPTURES,
  callOf,
  EndpointsWorld,
  EVENTS,
  type Json,
  problemOf,
  streamOf,
} from "./endpoints.ts";

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

const OTHER = "0".repeat(64);

describe("a batch", () => {
  it("turns a captured batch into a message with the call and its exact cost", async () => {
    const { status, body } = await world.postEvents(CAPTURES.events);
    expect([status, body]).toEqual([200, { accepted: 1 }]);
    expect(world.messages).toEqual([CALLS]);
    expect(spendMessageSchema.safeParse(world.messages[0]).success).toBe(true);
  });

  it.each([
    ["an array", (events: unknown[]) => JSON.stringify(events)],
    ["an array for people", (events: unknown[]) => JSON.stringify(events, null, 2)],
    ["lines", (events: unknown[]) => `${events.map((event) => JSON.stringify(event)).join("\n")}\n`],
  ])("accepts a batch as %s", async (_, written) => {
    const events = [callOf(1), callOf(2), callOf(3, { user_api_key_hash: OTHER })];
    expect((await world.post(EVENTS, written(events), BEARER)).body).toEqual({ accepted: 3 });
    expect(world.reported()).toMatchObject([{ cost: "1" }, { cost: "2" }, { cost: "3", key_hash: OTHER }]);
  });

  it("accepts a single event without an array", async () => {
    expect((await world.post(EVENTS, JSON.stringify(CAPTURES.events[0]), BEARER)).body).toEqual({ accepted: 1 });
    expect(world.messages).toEqual([CALLS]);
  });

  it("answers 200 to an empty batch and queues nothing", async () => {
    expect(await world.postEvents([])).toMatchObject({ status: 200, body: { accepted: 0 } });
    expect(world.spendQueue.calls("sendAll")).toBe(0);
  });

  it("parses a batch the same however its chunks arrive", async () => {
    const body = bytes(JSON.stringify(CAPTURES.events));
    for (let at = 1; at < body.length; at++) {
      const { status } = await world.post(EVENTS, streamOf([body.subarray(0, at), body.subarray(at)]), BEARER);
      expect(status, `cut at ${at}`).toBe(200);
    }
    await world.post(EVENTS, streamOf(Array.from(body, (byte) => new Uint8Array([byte]))), BEARER);
    expect(new Set(world.messages.map((message) => JSON.stringify(message)))).toEqual(new Set([JSON.stringify(CALLS)]));
  });

  it("answers 503 when the queue takes nothing, so that LiteLLM retries", async () => {
    world.queue.isAway = true;
    const answer = await world.postEvents(CAPTURES.events);
    expect([answer.status, problemOf(answer), answer.headers.get("Retry-After")]).toEqual([
      503,
      "dependency-unavailable",
      "5",
    ]);
  });

  it("queues a large batch in parts of fifty calls, a thousand at a time, to bound memory", async () => {
    const calls = Array.from({ length: 2_001 }, (_, index) => callOf(index + 1));
    expect((await world.postEvents(calls)).body).toEqual({ accepted: 2_001 });
    expect([world.spendQueue.calls("sendAll"), world.messages.length]).toEqual([3, 41]);
    expect(world.reported().map(({ cost }) => Number(cost))).toEqual(calls.map((_, index) => index + 1));
    expect(Math.max(...world.messages.map((message) => JSON.stringify(message).length))).toBeLessThan(100_000);
  });

  it("queues a hint once per caller", async () => {
    const keys = Array.from({ length: 101 }, (_, index) => index.toString(16).padStart(64, "0"));
    const failed = keys.flatMap((hash) =>
      [1, 2].map(() => callOf(1, { user_api_key_hash: hash }, { status: "failure" })),
    );
    expect((await world.postEvents(failed)).body).toEqual({ accepted: 202 });
    const hints = world.messages.map((message) =>
      message.kind === "calls" && "hints" in message ? message.hints : [],
    );
    expect(hints.map(({ length }) => length)).toEqual([50, 50, 1]);
    expect(hints[2]).toEqual([{ key_hash: keys[100], team_id: null }]);
  });
});

describe("authentication", () => {
  it.each([
    ["none", {}],
    ["a wrong one", { authorization: "Bearer wrong" }],
    ["an administrator's", { authorization: "Bearer admin-token" }],
    ["another scheme", { authorization: "Basic events-token" }],
  ])("answers 401 before it reads a byte: %s", async (_, headers) => {
    const body = streamOf([bytes(JSON.stringify(CAPTURES.events))]);
    const reads = vi.spyOn(body, "getReader");
    const answer = await world.post(EVENTS, body, headers as Record<string, string>);
    expect([answer.status, problemOf(answer), world.messages]).toEqual([401, "unauthorized", []]);
    expect(reads).not.toHaveBeenCalled();
  });

  it("accepts the previous token during rotation", async () => {
    const { status } = await world.post(EVENTS, "[]", { authorization: "Bearer old-events-token" });
    expect(status).toBe(200);
  });
});

describe("odd fields of an event", () => {
  it.each<[string, Json, Json]>([
    ["an ISO startTime", {}, { startTime: new Date(NOW - 1_000).toISOString() }],
    ["startTime as text", {}, { startTime: String((NOW - 1_000) / 1_000) }],
    ["a team id of 201 characters", { user_api_key_team_id: "t".repeat(201) }, {}],
    ["a team id of another kind", { user_api_key_team_id: 7 }, {}],
    ["a call id of another kind", {}, { litellm_call_id: 7 }],
    ["a spend of another kind", { user_api_key_spend: "much" }, {}],
  ])("count the amount beside %s", async (_, metadata, event) => {
    expect((await world.postEvents([callOf(7, metadata, event)])).body).toEqual({ accepted: 1 });
    expect(world.reported()).toMatchObject([{ key_hash: CALL.key_hash, cost: "7" }]);
  });

  it("hash the raw key of a call that LiteLLM refused before it knew the caller", async () => {
    await world.postEvents([callOf(7, { user_api_key_hash: "Bearer sk-secret" }, { status: "failure" })]);
    expect(world.messages).toMatchObject([{ calls: [], hints: [{ key_hash: sha256("sk-secret"), team_id: null }] }]);
  });
});

describe("errors in a batch", () => {
  it("names an invalid event by index and field, and counts the valid ones", async () => {
    const answer = await world.postEvents([
      callOf(1),
      "text",
      { metadata: 7 },
      callOf(2, {}, { response_cost: "0.5" }),
      callOf(3, {}, { response_cost: 1e300 }),
      callOf(6),
    ]);
    expect([answer.status, problemOf(answer)]).toEqual([422, "invalid-fields"]);
    expect(answer.body).toMatchObject({ accepted: 2, wrong: 4 });
    expect(answer.body.errors.map(({ field }: { field: string }) => field)).toEqual([
      "1",
      "2.metadata",
      "3.response_cost",
      "4.response_cost",
    ]);
    expect(answer.body.detail).toContain("3.response_cost: ");
    expect(world.reported()).toMatchObject([{ cost: "1" }, { cost: "6" }]);
    expect(world.log.lines.join()).toContain('"accepted":2,"wrong":4');
  });

  it("names twenty invalid events and counts the rest", async () => {
    const { body } = await world.postEvents([...Array(30).fill(7), callOf(1)]);
    expect([body.wrong, body.accepted, body.errors.length]).toEqual([30, 1, 20]);
  });

  it("stops after too many invalid events", async () => {
    const { status, body } = await world.postEvents([callOf(1), ...Array(2_000).fill(7), callOf(2)]);
    expect([status, body.wrong, body.accepted]).toEqual([400, 1_000, 1]);
    expect(body.detail).toContain("event 1001 and those after it were not read");
  });

  it("names an event that is too large without its prompts", async () => {
    const names = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`n${index}`, "x".repeat(1_400)]));
    const { status, body } = await world.postEvents([{ ...callOf(1), ...names }, callOf(2)]);
    expect([status, body.errors, body.accepted]).toEqual([422, [{ field: "0", message: "is too large" }], 1]);
  });

  it("answers 400 to a malformed event, and counts the others", async () => {
    const [first, last] = [JSON.stringify(callOf(1)), JSON.stringify(callOf(2))];
    const answer = await world.post(EVENTS, `[${first},{"response_cost":NaN},${last}]`, BEARER);
    expect([answer.status, problemOf(answer)]).toEqual([400, "malformed-json"]);
    expect(answer.body).toMatchObject({ accepted: 2, errors: [{ field: "1", message: "is not JSON" }] });
    expect(world.reported()).toMatchObject([{ cost: "1" }, { cost: "2" }]);
  });
});

describe("a body", () => {
  it.each<[string, BodyInit | null]>([
    ["no body", null],
    ["an empty one", ""],
    ["one of spaces", "  \n"],
  ])("answers 400 to %s", async (_, body) => {
    const answer = await world.post(EVENTS, body, BEARER);
    expect([answer.status, problemOf(answer), answer.body.detail]).toEqual([
      400,
      "malformed-json",
      "the body is empty",
    ]);
  });

  it.each([
    ["breaks off", (whole: string) => whole.slice(0, -9), "the body breaks off at byte"],
    ["goes wrong", (whole: string) => whole.replace(/,(?=[^,]*$)/, ";"), "1: is not JSON"],
    ["goes on", (whole: string) => `${whole},`, "unexpected character at byte"],
  ])("reports the position in a body that %s, and counts the earlier events", async (_, spoilt, detail) => {
    const text = spoilt(JSON.stringify([callOf(1), { a: 1, b: 2 }]));
    const answer = await world.post(EVENTS, text, BEARER);
    expect([answer.status, problemOf(answer)]).toEqual([400, "malformed-json"]);
    expect(answer.body.detail).toContain(detail);
    expect(world.reported()).toMatchObject([{ cost: "1" }]);
  });

  it("answers 400 when the sender disconnects, and counts the received events", async () => {
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(bytes(`${JSON.stringify(callOf(1))}\n`));
        else controller.error(new Error("connection reset"));
      },
    });
    const answer = await world.post(EVENTS, body, BEARER);
    expect([answer.status, answer.body.detail]).toEqual([400, "the sender went away"]);
    expect(world.messages).toHaveLength(1);
  });
});

it.each(["GET", "PUT"])("answers 405 to %s", async (method) => {
  const answer = await world.call(EVENTS, { method });
  expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "POST, OPTIONS"]);
});
