// How long a notice waits after each failure, and when it is given up.

import fc from "fast-check";
import { expect, it } from "vitest";
import { nextAttemptSeconds, noticeBackoffSeconds } from "../../../src/flows/notices/notice-backoff.ts";

const HOUR = 3_600;

it.each([
  [1, 10],
  [2, 60],
  [3, 300],
  [4, 1_800],
  [5, 3_600],
  [6, null],
  [7, null],
])("after %i failed attempts the next is %s seconds later", (attempts, seconds) => {
  expect(noticeBackoffSeconds(attempts)).toBe(seconds);
  expect(nextAttemptSeconds(attempts, null)).toBe(seconds);
});

it.each([
  ["a longer Retry-After is honoured", 1, 90, 90],
  ["a shorter one is not", 3, 5, 300],
  ["one of a fraction is rounded up, never too early", 1, 10.2, 11],
  ["no notice waits longer than twelve hours", 2, 1e9, 12 * HOUR],
  ["the last attempt is the last, whatever the provider asks for", 6, 60, null],
] as const)("%s", (_, attempts, retryAfter, seconds) => {
  expect(nextAttemptSeconds(attempts, retryAfter)).toBe(seconds);
});

it("keeps any Retry-After within the delay that a queue accepts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.double({ noNaN: true }), (attempts, retryAfter) => {
      const seconds = nextAttemptSeconds(attempts, retryAfter);
      expect(Number.isInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(noticeBackoffSeconds(attempts) ?? 0);
      expect(seconds).toBeLessThanOrEqual(12 * HOUR);
    }),
  );
});
