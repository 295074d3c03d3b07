// How long a standing alert is quiet before it is announced again.

import { expect, it } from "vitest";
import { repeatPauseMs } from "../../../src/budget/schedules/repeat.ts";

const HOUR = 3_600_000;
const hours = (firstPauseMs: number) => [1, 2, 3, 4, 100].map((each) => repeatPauseMs(each, firstPauseMs) / HOUR);

it("waits an hour, then four, then a day each time", () => {
  expect(hours(HOUR)).toEqual([1, 4, 24, 24, 24]);
});

it("never repeats sooner than the configured first pause", () => {
  expect(hours(6 * HOUR)).toEqual([6, 6, 24, 24, 24]);
  expect(hours(0)).toEqual([0, 4, 24, 24, 24]);
});
