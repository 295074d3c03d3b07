// The spend of a key in LiteLLM's callback: the highest value among its calls, with its period.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW, SECOND } from "../../budget/builders.ts";
import { anEvent, CALLS, callAfter, EndpointsWorld } from "./endpoints.ts";

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

describe("the reported spend", () => {
  const folded = async (...events: unknown[]) => {
    await world.postEvents(events);
    return world.messages;
  };

  it("takes the highest spend of a key's calls in any order, never their sum", async () => {
    const highest = callAfter(7, { user_api_key_budget_reset_at: "2026-12-02T00:00:00" }, { startTime: NOW / 1_000 });
    const events = [callAfter(1), highest, callAfter(2)];
    for (const order of [events, events.toReversed()]) {
      world.queue.sent.length = 0;
      expect(await folded(...order)).toEqual([
        { ...CALLS, spend: "7.5", begun_at: NOW, resets_at: Date.UTC(2026, 11, 2), count: 3 },
      ]);
    }
  });

  it("takes the later of two equal calls", async () => {
    const [early, late] = [callAfter(1, {}, { startTime: 100 }), callAfter(1, {}, { startTime: 200 })];
    for (const order of [
      [early, late],
      [late, early],
    ]) {
      world.queue.sent.length = 0;
      expect(await folded(...order)).toMatchObject([{ spend: "1.5", begun_at: 200 * SECOND }]);
    }
  });

  it("adds amounts exactly: 0.1 and 0.2 are 0.3", async () => {
    expect(await folded(callAfter(0.1, {}, { response_cost: 0.2 }))).toMatchObject([{ spend: "0.3" }]);
  });

  it.each([
    ["X2: below zero counts as zero", -5, 1, "0"],
    ["X2: below zero before a call counts with what the call costs", -1, 1.5, "0.5"],
    ["a refund lowers", 5, -1, "4"],
  ])("%s", async (_, before, cost, spend) => {
    expect(await folded(callAfter(before, {}, { response_cost: cost }))).toMatchObject([{ spend }]);
    expect(world.log.lines.join().includes("negative spend counted as zero")).toBe(before + cost < 0);
  });

  it("uses the spend before the call when its cost is unknown", async () => {
    expect(await folded(callAfter(2, {}, { response_cost: null }))).toMatchObject([{ spend: "2" }]);
  });

  it.each([
    ["failed", callAfter(9, {}, { status: "failure" })],
    ["ended in a way that nobody knows", callAfter(9, {}, { status: "paused" })],
    ["says no spend", callAfter(9, { user_api_key_spend: null })],
    ["does not say when it began", callAfter(9, {}, { startTime: null })],
    ["says more money than there is", callAfter(9e14, {}, { response_cost: 9e14 })],
  ])("treats a call as a hint when it %s", async (_, event) => {
    const [hint] = await folded(event);
    expect(hint).toMatchObject({ key_hash: CALLS.key_hash, spend: null, count: 1 });
    expect(hint).not.toHaveProperty("resets_at");
    world.queue.sent.length = 0;
    expect(await folded(event, callAfter(1), event)).toEqual([{ ...CALLS, spend: "1.5", count: 3 }]);
  });

  it("dates a message of hints by its last call, or by now", async () => {
    const hint = (startTime: number | null) => callAfter(9, {}, { status: "failure", startTime });
    expect(await folded(hint(200), hint(100))).toMatchObject([{ begun_at: 200 * SECOND }]);
    world.queue.sent.length = 0;
    expect(await folded(hint(null))).toMatchObject([{ begun_at: NOW }]);
  });

  it("names the team of any call, and lower-cases a hash", async () => {
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
  ])("reads the period's end %s", async (_, written, resetsAt) => {
    expect(await folded(callAfter(1, { user_api_key_budget_reset_at: written }))).toMatchObject([
      { resets_at: resetsAt },
    ]);
  });

  it.each([
    ["null, as of every key whose budget is a shared object", null],
    ["something else", "banana"],
    ["before all time", "1969-12-31T00:00:00Z"],
  ])("ignores a period's end given as %s", async (_, written) => {
    const [message] = await folded(callAfter(1, { user_api_key_budget_reset_at: written }));
    expect(message).toMatchObject({ kind: "calls", spend: "1.5" });
    expect(message).not.toHaveProperty("resets_at");
  });

  it("omits the period's end when an older LiteLLM does not send it", async () => {
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
  ])("refuses an event with %s", async (_, event) => {
    expect((await world.postEvents([event, callAfter(1)])).body).toEqual({ accepted: 1 });
    expect(world.messages).toHaveLength(1);
  });
});
