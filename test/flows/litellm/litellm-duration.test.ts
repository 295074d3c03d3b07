// Durations for LiteLLM: only in units that its oldest supported version understands as Bursar does.

import { expect, it } from "vitest";
import { windowEnd } from "../../../dev/litellm/state/durations.ts";
import { isKeptByLiteLlm, litellmDuration } from "../../../src/flows/litellm/litellm-duration.ts";
import { DAY, NOW } from "../../budget/builders.ts";

it.each([
  ["1w", "7d"],
  ["2w", "14d"],
  ["52w", "364d"],
  ["7d", "7d"],
  ["30d", "30d"],
  ["1mo", "1mo"],
  ["36h", "36h"],
  [null, null],
])("converts %s to %s", (duration, sent) => {
  expect(litellmDuration(duration)).toBe(sent);
});

it("keeps a budget of weeks from ending every midnight where LiteLLM knows no weeks", () => {
  const midnight = NOW - (NOW % DAY);
  expect(windowEnd("2w", NOW, false)).toBe(midnight + DAY);
  expect(windowEnd(litellmDuration("2w") ?? "", NOW, false)).toBe(midnight + 14 * DAY);
});

it.each([
  ["1mo", true],
  ["2mo", false],
  ["12mo", false],
  ["60d", true],
  ["8w", true],
  [null, true],
  ["banana", false],
  ["30", false],
])("%s can be kept: %s", (duration, isKept) => {
  expect(isKeptByLiteLlm(duration)).toBe(isKept);
});
