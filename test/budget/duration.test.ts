// Durations: what is accepted, and where the calendar puts their end.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { addDuration, type Duration, parseDuration } from "../../src/budget/duration.ts";

function endAfter(from: string, text: string): string {
  return new Date(addDuration(Date.parse(from), parsed(text))).toISOString();
}

function parsed(text: string): Duration {
  const duration = parseDuration(text);
  if (duration === null) throw new Error(`not a duration: ${text}`);
  return duration;
}

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

  it("is refused whenever it is not a count from 1 and a unit, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?\d{0,3}\.?\d{0,3}(s|m|h|d|w|mo|y)?$/)), (text) => {
        fc.pre(!/^[1-9][0-9]*(s|m|h|d|w|mo)$/.test(text));
        expect(parseDuration(text)).toBeNull();
      }),
    );
  });
});

describe("the end of a duration", () => {
  test.each([
    ["2026-11-15T12:00:00.000Z", "45s", "2026-11-15T12:00:45.000Z"],
    ["2026-11-15T12:00:00.000Z", "90m", "2026-11-15T13:30:00.000Z"],
    ["2026-11-15T12:00:00.000Z", "36h", "2026-11-17T00:00:00.000Z"],
    ["2026-11-15T12:00:00.000Z", "30d", "2026-12-15T12:00:00.000Z"],
    ["2026-11-15T12:00:00.000Z", "2w", "2026-11-29T12:00:00.000Z"],
  ])("after %s + %s is %s", (from, text, end) => {
    expect(endAfter(from, text)).toBe(end);
  });

  test.each([
    ["2026-01-15T06:07:08.009Z", "1mo", "2026-02-15T06:07:08.009Z"],
    ["2026-01-31T23:59:59.999Z", "1mo", "2026-02-28T23:59:59.999Z"],
    ["2028-01-31T00:00:00.000Z", "1mo", "2028-02-29T00:00:00.000Z"],
    ["2028-02-29T12:00:00.000Z", "12mo", "2029-02-28T12:00:00.000Z"],
    ["2028-02-29T12:00:00.000Z", "48mo", "2032-02-29T12:00:00.000Z"],
    ["2026-03-31T12:00:00.000Z", "1mo", "2026-04-30T12:00:00.000Z"],
    ["2026-12-31T12:00:00.000Z", "1mo", "2027-01-31T12:00:00.000Z"],
    ["2026-11-30T12:00:00.000Z", "3mo", "2027-02-28T12:00:00.000Z"],
    ["2099-12-31T12:00:00.000Z", "2mo", "2100-02-28T12:00:00.000Z"],
  ])("in months, after %s + %s, is %s", (from, text, end) => {
    expect(endAfter(from, text)).toBe(end);
  });

  it("keeps the time of the day, over any number of months", () => {
    const instant = fc.integer({ min: 0, max: 4_000_000_000_000 });
    fc.assert(
      fc.property(instant, fc.integer({ min: 1, max: 1_200 }), (from, count) => {
        const end = addDuration(from, { count, unit: "mo" });
        expect(end % 86_400_000).toBe(from % 86_400_000);
        expect(monthOf(end) - monthOf(from)).toBe(count);
      }),
    );
  });
});

function monthOf(instant: number): number {
  const date = new Date(instant);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
