// Durations: which ones are accepted, and the instant after one.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { earliest, instantAfter, parseDuration } from "../../src/budget/instant.ts";

describe("a duration", () => {
  test.each([
    ["1s", 1, "s"],
    ["90m", 90, "m"],
    ["24h", 24, "h"],
    ["30d", 30, "d"],
    ["2w", 2, "w"],
    ["1mo", 1, "mo"],
    ["1200mo", 1_200, "mo"],
    ["36525d", 36_525, "d"],
    ["3155760000s", 3_155_760_000, "s"],
  ])("%s is accepted", (text, count, unit) => {
    expect(parseDuration(text)).toEqual({ count, unit });
  });

  const BAD = ["banana", "", "0d", "00d", "030d", "1.5d", "-1d", "+1d", "30", "d", " 30d", "30d ", "30d\n", "30 d"];
  const WORSE = ["1D", "1M", "1MO", "1y", "1month", "1mo1d", "1d1h", "1e3s", "٣d", "null", "1ms", "12345678901s"];
  test.each([...BAD, ...WORSE])("%j is refused", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test.each(["1201mo", "36526d", "5218w", "3155760001s", "9999999999mo", "876601h"])(
    "%s is refused, because a hundred years is the longest",
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );

  it("refuses any text that is not a count from 1 and a unit", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?\d{0,3}\.?\d{0,3}(s|m|h|d|w|mo|y)?$/)), (text) => {
        fc.pre(!/^[1-9][0-9]*(s|m|h|d|w|mo)$/.test(text));
        expect(parseDuration(text)).toBeNull();
      }),
    );
  });
});

describe("the instant after a duration", () => {
  const later = (from: string, text: string) => {
    const duration = parseDuration(text);
    return duration === null ? null : new Date(instantAfter(Date.parse(from), duration)).toISOString();
  };

  test.each([
    ["2026-11-15T12:00:00.123Z", "1s", "2026-11-15T12:00:01.123Z"],
    ["2026-11-15T12:00:00.000Z", "90m", "2026-11-15T13:30:00.000Z"],
    ["2026-11-15T12:00:00.000Z", "24h", "2026-11-16T12:00:00.000Z"],
    ["2026-12-31T12:00:00.000Z", "30d", "2027-01-30T12:00:00.000Z"],
    ["2026-11-15T12:00:00.000Z", "2w", "2026-11-29T12:00:00.000Z"],
    // Clocks in Europe go back on that day; these do not.
    ["2026-10-25T00:00:00.000Z", "1d", "2026-10-26T00:00:00.000Z"],
  ])("%s and %s is %s", (from, text, expected) => {
    expect(later(from, text)).toBe(expected);
  });

  test.each([
    ["2026-11-15T12:34:56.789Z", "1mo", "2026-12-15T12:34:56.789Z"],
    ["2026-11-15T12:00:00.000Z", "2mo", "2027-01-15T12:00:00.000Z"],
    ["2026-01-31T23:59:59.999Z", "1mo", "2026-02-28T23:59:59.999Z"],
    ["2027-12-31T00:00:00.000Z", "2mo", "2028-02-29T00:00:00.000Z"],
    ["2026-08-31T00:00:00.000Z", "13mo", "2027-09-30T00:00:00.000Z"],
    ["2026-11-15T00:00:00.000Z", "1200mo", "2126-11-15T00:00:00.000Z"],
  ])("%s and %s of the calendar is %s", (from, text, expected) => {
    expect(later(from, text)).toBe(expected);
  });
});

it.each([
  [null, null, null],
  [5, null, 5],
  [null, 7, 7],
  [5, 7, 5],
])("takes of %s and %s the earlier instant, %s", (a, b, expected) => {
  expect(earliest(a, b)).toBe(expected);
});
