// How long a failed try waits for the next one.

import fc from "fast-check";
import { expect, it } from "vitest";
import { nextNoticeSeconds, noticeBackoffSeconds, queueBackoffSeconds } from "../../../src/budget/schedules/backoff.ts";

const HOUR = 3_600;
const aRandom = fc.double({ min: 0, max: 0.999, noNaN: true });

it.each([
  [1, 10],
  [2, 60],
  [3, 300],
  [4, 1_800],
  [5, 3_600],
  [6, null],
  [7, null],
])("tries a notice again, after %i failed attempts, %s seconds later", (attempts, seconds) => {
  expect(noticeBackoffSeconds(attempts)).toBe(seconds);
  expect(nextNoticeSeconds(attempts, null, 0)).toBe(seconds);
});

it.each([
  ["a longer Retry-After is honoured", 1, 90, 90],
  ["a shorter one is not", 3, 5, 300],
  ["one of a fraction is rounded up, never too early", 1, 10.2, 11],
  ["no notice waits longer than twelve hours", 2, 1e9, 12 * HOUR],
  ["the last attempt is the last, whatever the provider asks for", 6, 60, null],
] as const)("%s", (_, attempts, retryAfter, seconds) => {
  expect(nextNoticeSeconds(attempts, retryAfter, 0)).toBe(seconds);
});

it("keeps any Retry-After within the delay that a queue accepts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.double({ noNaN: true }), aRandom, (attempts, retryAfter, random) => {
      const seconds = nextNoticeSeconds(attempts, retryAfter, random);
      expect(Number.isInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(noticeBackoffSeconds(attempts) ?? 0);
      expect(seconds).toBeLessThanOrEqual(12 * HOUR);
    }),
  );
});

it.each([
  [0, 5],
  [1, 5],
  [2, 10],
  [3, 20],
  [7, 320],
  [8, 600],
  [100, 600],
])("delivers a queue message again, after %i attempts, %i seconds later", (attempts, seconds) => {
  expect(queueBackoffSeconds(attempts)).toBe(seconds);
});
