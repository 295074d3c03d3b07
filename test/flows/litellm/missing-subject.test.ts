// A check of a tenant whose key or team LiteLLM does not have: by the fail policy, bounded, and named as what it is.

import { beforeEach, describe, expect, it } from "vitest";
import { DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { CheckWorld, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const OLD = { observedAt: NOW - 11 * MINUTE, readAt: NOW - 11 * MINUTE };
const WARNED = { spendNanoUsd: usd("450"), ...OLD };
const OVER = { spendNanoUsd: usd("550"), ...OLD };
const degradedLines = () => world.log.lines.filter((line) => line.startsWith("warn degraded answer"));

describe("a subject that LiteLLM does not have", () => {
  const missingSince = (ms: number, config: object = {}, spend: object | null = {}) =>
    world.hasTenant({ subjectMissingAt: NOW - ms, ...config }, spend);
  const missing = { state: "unknown", reason: "subject_missing", degraded: true };

  it.each([
    ["fresh", {}],
    ["old", WARNED],
    ["of an ended period", { ...OVER, resetsAt: NOW - SECOND }],
    ["unknown", null],
  ])("passes under open for FAIL_OPEN_MINUTES from when it was first seen, with spend that is %s", async (_, spend) => {
    missingSince(60 * MINUTE - 1, {}, spend);
    world.litellm.rows.clear();
    expect(verdictOf(await world.check())).toMatchObject({ ...missing, allowed: true, source: "fail_open" });
    world = new CheckWorld();
    missingSince(60 * MINUTE, {}, spend);
    world.litellm.rows.clear();
    expect(verdictOf(await world.check())).toMatchObject({ ...missing, allowed: false, source: "fail_closed" });
  });

  it("gets a refusal under closed at once, and each answer is one log line", async () => {
    missingSince(0, { failPolicy: "closed" });
    expect(verdictOf(await world.check())).toMatchObject({ ...missing, allowed: false, source: "fail_closed" });
    expect(degradedLines()).toEqual([expect.stringContaining('"why":"subject missing"')]);
  });

  it("stays blocked for its spend until the reset", async () => {
    missingSince(DAY, {}, OVER);
    world.litellm.rows.clear();
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, reason: "over_grace" });
  });
});
