// A consumer that dies at any step, or whose stores fail once at any step, and gets its message again has the same
// result as an undisturbed one: the same state and the same number of notices.

import { describe, expect, it } from "vitest";
import type { SendOutcome } from "../../../src/records/delivery.ts";
import { MINUTE } from "../../budget/builders.ts";
import { aDispatch } from "../../support/builders/notice-builders.ts";
import { failed, NOT_CONFIGURED, REJECTED, SENT } from "../../support/fakes/fake-notifier.ts";
import { killedAfter } from "../../support/faults/killed-after.ts";
import { NoticeWorld } from "../../support/worlds/notice-world.ts";

const STORES = ["deliveries", "claims", "deadLetters"] as const;
const OUTSIDE = [...STORES, "notifier"] as const;

type Deps = ReturnType<NoticeWorld["deps"]>;

const STORIES: [string, { outcome: SendOutcome; attempts?: number; isEnabled?: boolean; isNoted?: boolean }][] = [
  ["sent", { outcome: SENT }],
  ["sent by another message", { outcome: SENT, isNoted: true }],
  ["rejected", { outcome: REJECTED }],
  ["not configured", { outcome: NOT_CONFIGURED }],
  ["failed", { outcome: failed() }],
  ["failed for the last time", { outcome: failed(), attempts: 5 }],
  ["skipped", { outcome: SENT, isEnabled: false }],
];

/**
 * Delivers the message until it is settled, the first time to `first`. Returns the state that is visible from outside.
 */
async function outcomeOf(story: (typeof STORIES)[number][1], first: (deps: Deps) => Deps) {
  const world = new NoticeWorld();
  const key = world.has(
    aDispatch({
      channel: { kind: "webhook", enabled: story.isEnabled ?? true },
      delivery: { attempts: story.attempts ?? 0 },
    }),
  );
  world.provider.answers(story.outcome);
  if (story.isNoted) await world.redis.noteNoticeSent(key);
  const died = await world.send(key, { deps: first(world.deps()) }).then(
    (end) => (end.kind === "done" ? "done" : "retry"),
    () => "died",
  );
  // A delivery that has to wait ends the test, whether the first consumer or the one after its death finds that.
  if (died === "died") await world.send(key);
  const { claim, ...state } = world.stateOf(key);
  return {
    // The claim of a dead consumer expires.
    state: { ...state, isNoted: claim === "sent" },
    // Receivers drop notices with an id that they have seen.
    arrived: new Set(world.provider.arrived.map(({ id }) => id)).size,
  };
}

/** Makes the store call with this number fail without an effect. All other calls work. */
function failingOnce(deps: Deps, number: number): { deps: Deps; calls: () => number } {
  let calls = 0;
  const wrapped = STORES.map((name) => [
    name,
    new Proxy(deps[name], {
      get(target, verb) {
        const value: unknown = Reflect.get(target, verb);
        return async (...inputs: unknown[]) => {
          if (calls++ === number) throw new Error("failed once");
          return (value as (...all: unknown[]) => unknown).apply(target, inputs);
        };
      },
    }),
  ]);
  return { deps: { ...deps, ...Object.fromEntries(wrapped) }, calls: () => calls };
}

describe.each(STORIES)("a notice that is %s", (_, story) => {
  it("ends the same wherever its consumer dies", async () => {
    const undisturbed = await outcomeOf(story, (deps) => deps);
    let steps = 0;
    for (let last = 0; last <= steps; last++) {
      let process = killedAfter({} as Deps, [], 0);
      const killed = await outcomeOf(story, (deps) => {
        process = killedAfter(deps, OUTSIDE, last);
        return process.ports;
      });
      // A process that reached its last call may have another call after it.
      if (process.calls() === last) steps = last + 1;
      expect([last, killed]).toEqual([last, undisturbed]);
    }
    expect(steps).toBeGreaterThan(1);
  });
});

/** When only Redis has recorded the notice and then fails, no store has a record of it. */
const WITHOUT_REDIS_ALONE = STORIES.filter(([, story]) => !story.isNoted);

it.each(WITHOUT_REDIS_ALONE)(
  "a notice that is %s ends the same whichever call of a store fails once",
  async (_, story) => {
    const undisturbed = await outcomeOf(story, (deps) => deps);
    let steps = 1;
    for (let number = 0; number < steps; number++) {
      let calls = () => 0;
      const disturbed = await outcomeOf(story, (deps) => {
        const failing = failingOnce(deps, number);
        calls = failing.calls;
        return failing.deps;
      });
      if (calls() > number) steps = number + 2;
      expect([number, disturbed]).toEqual([number, undisturbed]);
    }
    expect(steps).toBeGreaterThan(2);
  },
);

it("Slack has no ids: its notice may arrive twice where a consumer dies between Slack's answer and the first store", async () => {
  const arrivedCounts: number[] = [];
  for (let last = 1; last <= 7; last++) {
    const world = new NoticeWorld();
    const key = world.hasDelivery("slack");
    await world.send(key, { deps: killedAfter(world.deps(), OUTSIDE, last).ports }).catch(() => {});
    await world.send(key, { at: MINUTE });
    expect(world.stateOf(key)).toMatchObject({ status: "sent", claim: "sent" });
    arrivedCounts.push(world.provider.arrived.length);
  }
  // load, claim, reserve a turn, begin, send, note, record
  expect(arrivedCounts).toEqual([1, 1, 1, 1, 2, 1, 1]);
});
