// Timeouts: a value, a slow answer and a failure are three outcomes.

import { describe, expect, it } from "vitest";
import { claimTimeoutMs, storeTimeoutMs, valueOrNull, withTimeout } from "../../src/flows/waiting.ts";
import { RecordedLog } from "../support/fakes/recorded-log.ts";
import { VirtualTimers } from "../support/fakes/virtual-timers.ts";
import { POLICY } from "../support/worlds/check-world.ts";

const comesAfter = async <T>(timers: VirtualTimers, ms: number, value: T) => {
  await timers.after(ms).passed;
  return value;
};

describe("withTimeout", () => {
  it.each([
    [39, { kind: "done", value: "it" }],
    [41, { kind: "slow" }],
  ])("decides at 40 ms about work that takes %i ms", async (ms, expected) => {
    const timers = new VirtualTimers();
    expect(await timers.runUntil(withTimeout(comesAfter(timers, ms, "it"), 40, { timers }))).toEqual(expected);
    expect(timers.elapsedMs).toBe(Math.min(ms, 40));
  });

  it("returns a failure with its error, and never rejects", async () => {
    const timers = new VirtualTimers();
    const error = new Error("down");
    expect(await withTimeout(Promise.reject(error), 40, { timers })).toEqual({ kind: "failed", error });
  });

  it("leaves no unhandled rejection when work fails after its timeout", async () => {
    const timers = new VirtualTimers();
    const late = comesAfter(timers, 50, null).then(() => Promise.reject(new Error("late")));
    expect(await timers.runUntil(withTimeout(late, 40, { timers }))).toEqual({ kind: "slow" });
    await timers.pass(20);
  });

  it("cancels the timer when work finishes in time", async () => {
    const timers = new VirtualTimers();
    await timers.runUntil(withTimeout(Promise.resolve(1), 40, { timers }));
    expect(timers.running).toBe(0);
  });
});

describe("valueOrNull", () => {
  it.each([
    ["the value that arrived in time", () => Promise.resolve(7), 7, []],
    ["null for a failure", () => Promise.reject(new Error("down")), null, ["error work failed {} Error: down"]],
    ["null for slow work", () => new Promise<never>(() => {}), null, ['warn work slow {"waited_ms":8}']],
  ])("returns %s, and logs what was given up", async (_, work, expected, lines) => {
    const [timers, log] = [new VirtualTimers(), new RecordedLog()];
    expect(await timers.runUntil(valueOrNull("work", work(), 8, { timers, log }))).toBe(expected);
    expect(log.lines).toEqual(lines);
  });
});

it("leaves room for LiteLLM before the deadline after two slow stores, and for its read after a slow claim", () => {
  expect(storeTimeoutMs({ policy: POLICY })).toBe(40);
  expect(claimTimeoutMs({ policy: POLICY })).toBe(20);
});
