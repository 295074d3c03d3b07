// What a call in LiteLLM's callback becomes: a cost under an identity of its own, or a hint.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { anEvent, CALL, callOf, EndpointsWorld, type Json } from "./endpoints.ts";

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

const reported = async (...events: unknown[]) => {
  world.queue.sent.length = 0;
  await world.postEvents(events);
  return world.reported();
};
const hints = () =>
  world.messages.flatMap((message) => (message.kind === "calls" && "hints" in message ? message.hints : []));

describe("a call's identity", () => {
  const idOf = async (metadata: Json = {}, differences: Json = {}) =>
    (await reported(callOf(1, metadata, differences)))[0]?.id;

  it("stays the same for each copy of its event, whatever else stands in it", async () => {
    const id = await idOf({}, { litellm_call_id: "call-1" });
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(await idOf({ user_api_key_alias: "renamed" }, { litellm_call_id: "call-1", id: "another" })).toBe(id);
  });

  it.each<[string, Json, Json]>([
    ["key", { user_api_key_hash: "0".repeat(64) }, {}],
    ["start", {}, { startTime: 1 }],
    ["end", {}, { endTime: 1_795_336_382.9 }],
    ["call id", {}, { litellm_call_id: "call-2" }],
  ])("differs with another %s, because clients choose the call id by a header", async (_, metadata, differences) => {
    const one = await idOf({}, { litellm_call_id: "call-1" });
    expect(await idOf(metadata, { litellm_call_id: "call-1", ...differences })).not.toBe(one);
  });

  it("uses the event's id where LiteLLM sends no call id", async () => {
    expect(await idOf({}, { id: "a" })).not.toBe(await idOf({}, { id: "b" }));
    expect(await idOf({}, { id: "a" })).toBe(await idOf({}, { id: "a" }));
  });
});

describe("a call's cost", () => {
  it.each([
    [0.1 + 0.2, "0.3"],
    [0.000_000_001_9, "0.000000001"],
    [1e-10, undefined],
    [0, undefined],
  ])("counts %s dollars as %s, rounded down, and not at all below a nano-dollar", async (cost, counted) => {
    expect((await reported(callOf(cost)))[0]?.cost).toBe(counted);
    expect(hints()).toEqual([]);
  });

  it.each([
    ["failed", callOf(9, {}, { status: "failure" })],
    ["ended in a way that nobody knows", callOf(9, {}, { status: "paused" })],
    ["says no cost", callOf(9, {}, { response_cost: null })],
    ["cost less than nothing", callOf(-1)],
    ["cost more than a million dollars", callOf(1_000_000.01)],
    ["does not say when it ended", callOf(9, {}, { endTime: null })],
  ])("becomes a hint when the call %s", async (_, event) => {
    expect(await reported(event)).toEqual([]);
    expect(hints()).toEqual([{ key_hash: CALL.key_hash, team_id: null }]);
    expect(await reported(event, callOf(1), event)).toMatchObject([{ cost: "1" }]);
    expect(hints()).toHaveLength(1);
  });
});

it("names a call's own team, and lower-cases its hash", async () => {
  const upper = { user_api_key_hash: CALL.key_hash.toUpperCase(), user_api_key_team_id: "Team-1" };
  const calls = await reported(callOf(9), callOf(1, upper));
  expect(calls).toMatchObject([{ team_id: null }, { key_hash: CALL.key_hash, team_id: "Team-1" }]);
});

it.each([
  ["seconds as text", { endTime: "1795336382.938846", startTime: "1795336382.936243" }],
  ["ISO 8601", { endTime: "2026-11-22T08:33:02.938Z", startTime: "2026-11-22T08:33:02.936" }],
])("reads the instants of a call as %s", async (_, times) => {
  const { started_at, ended_at } = CALL;
  expect(await reported(callOf(1, {}, times))).toMatchObject([{ started_at, ended_at }]);
});

it.each([
  ["no metadata", { status: "success" }],
  ["null for metadata", { metadata: null }],
  ["no hash", anEvent({ user_api_key_hash: null })],
  ["an empty hash", anEvent({ user_api_key_hash: "" })],
])("leaves out an event with %s", async (_, event) => {
  expect((await world.postEvents([event, callOf(1)])).body).toEqual({ accepted: 1 });
  expect(world.reported()).toHaveLength(1);
});
