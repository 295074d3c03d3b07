// What a key has spent by the word of LiteLLM's callback: the highest figure among its calls, and of which period it is.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW, SECOND } from "../../budget/builders.ts";
import { anEvent, CALLS, callAfter, EndpointsWorld } from "./endpoints.ts";

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

describe("the figure of a key", () => {
  const folded = async (...events: unknown[]) => {
    await world.postEvents(events);
    return world.messages;
  };

  it("is the highest of its calls with all that belongs to it, in any order, and never their sum", async () => {
    const highest = callAfter(7, { user_api_key_budget_reset_at: "2026-12-02T00:00:00" }, { startTime: NOW / 1_000 });
    const events = [callAfter(1), highest, callAfter(2)];
    for (const order of [events, events.toReversed()]) {
      world.queue.sent.length = 0;
      expect(await folded(...order)).toEqual([
        { ...CALLS, spend: "7.5", begun_at: NOW, resets_at: Date.UTC(2026, 11, 2), count: 3 },
      ]);
    }
  });

  it("of two that are equal is the later one's", async () => {
    const [early, late] = [callAfter(1, {}, { startTime: 100 }), callAfter(1, {}, { startTime: 200 })];
    for (const order of [
      [early, late],
      [late, early],
    ]) {
      world.queue.sent.length = 0;
      expect(await folded(...order)).toMatchObject([{ spend: "1.5", begun_at: 200 * SECOND }]);
    }
  });

  it("is exact: 0.1 and 0.2 are 0.3", async () => {
    expect(await folded(callAfter(0.1, {}, { response_cost: 0.2 }))).toMatchObject([{ spend: "0.3" }]);
  });

  it.each([
    ["X2: below zero counts as zero", -5, 1, "0"],
    ["X2: below zero before a call counts with what the call costs", -1, 1.5, "0.5"],
    ["a refund lowers", 5, -1, "4"],
  ])("%s", async (_, before, cost, spend) => {
    expect(await folded(callAfter(before, {}, { response_cost: cost }))).toMatchObject([{ spend }]);
    expect(world.log.lines.join().includes("negative spend counts as zero")).toBe(before + cost < 0);
  });

  it("of a call whose cost nobody knows is what the key had spent before it", async () => {
    expect(await folded(callAfter(2, {}, { response_cost: null }))).toMatchObject([{ spend: "2" }]);
  });

  it.each([
    ["failed", callAfter(9, {}, { status: "failure" })],
    ["ended in a way that nobody knows", callAfter(9, {}, { status: "paused" })],
    ["says no spend", callAfter(9, { user_api_key_spend: null })],
    ["does not say when it began", callAfter(9, {}, { startTime: null })],
    ["says more money than there is", callAfter(9e14, {}, { response_cost: 9e14 })],
  ])("is not that of a call that %s: it is a hint", async (_, event) => {
    const [hint] = await folded(event);
    expect(hint).toMatchObject({ key_hash: CALLS.key_hash, spend: null, count: 1 });
    expect(hint).not.toHaveProperty("resets_at");
    world.queue.sent.length = 0;
    expect(await folded(event, callAfter(1), event)).toEqual([{ ...CALLS, spend: "1.5", count: 3 }]);
  });

  it("of calls that are hints only began with the last of them, or now", async () => {
    const hint = (startTime: number | null) => callAfter(9, {}, { status: "failure", startTime });
    expect(await folded(hint(200), hint(100))).toMatchObject([{ begun_at: 200 * SECOND }]);
    world.queue.sent.length = 0;
    expect(await folded(hint(null))).toMatchObject([{ begun_at: NOW }]);
  });

  it("names a team that any of the calls names, an upper-case hash in lower case", async () => {
    const upper = { user_api_key_hash: CALLS.key_hash.toUpperCase() };
    const messages = await folded(
      callAfter(9),
      callAfter(1, { ...upper, user_api_key_team_id: "Team-1" }),
      callAfter(2),
    );
    expect(messages).toEqual([{ ...CALLS, team_id: "Team-1", spend: "9.5", count: 3 }]);
  });

  it.each([
    ["naive, which is UTC", "2026-12-01T00:00:00", CALLS.resets_at],
    ["with an offset", "2026-12-01T02:00:00+02:00", CALLS.resets_at],
    ["with Z", "2026-12-01T00:00:00.000Z", CALLS.resets_at],
  ])("its period's end %s", async (_, written, resetsAt) => {
    expect(await folded(callAfter(1, { user_api_key_budget_reset_at: written }))).toMatchObject([
      { resets_at: resetsAt },
    ]);
  });

  it.each([
    ["null, as of every key whose budget is a shared object", null],
    ["something else", "banana"],
    ["before all time", "1969-12-31T00:00:00Z"],
  ])("its period's end is not said by %s", async (_, written) => {
    const [message] = await folded(callAfter(1, { user_api_key_budget_reset_at: written }));
    expect(message).toMatchObject({ kind: "calls", spend: "1.5" });
    expect(message).not.toHaveProperty("resets_at");
  });

  it("its period's end is left out where LiteLLM, as its older versions, does not say it", async () => {
    const event = callAfter(1);
    delete (event["metadata"] as Record<string, unknown>)["user_api_key_budget_reset_at"];
    const [message] = await folded(event);
    expect(message).toMatchObject({ spend: "1.5" });
    expect(message).not.toHaveProperty("resets_at");
  });

  it.each([
    ["no metadata", { status: "success" }],
    ["null for metadata", { metadata: null }],
    ["no hash", anEvent({ user_api_key_hash: null })],
    ["an empty hash", anEvent({ user_api_key_hash: "" })],
  ])("is nobody's with %s", async (_, event) => {
    expect((await world.postEvents([event, callAfter(1)])).body).toEqual({ accepted: 1 });
    expect(world.messages).toHaveLength(1);
  });
});
