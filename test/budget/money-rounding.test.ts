// Costs of calls are rounded down to the nano-dollar, so that their sum never exceeds LiteLLM's.

import { expect, it } from "vitest";
import { nanoUsdRoundedDown } from "../../src/budget/money.ts";

it.each([
  [0.000_000_001_999, 1n],
  [0.1 + 0.2, 300_000_000n],
  [3e-5, 30_000n],
  [-0.5, -500_000_000n],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, null],
  ["1", null],
  [undefined, null],
  [1e300, null],
])("%s dollars are %s nano-dollars", (usd, nano) => {
  expect(nanoUsdRoundedDown(usd)).toBe(nano);
});
