// Counted calls are forgotten in batches; one sweep takes a bounded number of them.

import { expect, it } from "vitest";
import { forgetCalls } from "../../../src/flows/counting/forget-calls.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { unusedPort } from "../../support/faults/unused-port.ts";

it.each([
  ["stops when fewer calls are left than a batch takes", 25_000, 3],
  ["leaves the rest to the next sweep", 1_000_000, 12],
])("%s", async (_, calls, batches) => {
  let left = calls;
  const asked: number[] = [];
  const ledgers: Ports["ledgers"] = {
    ...unusedPort<Ports["ledgers"]>("ledgers"),
    async forgetCalls(before, limit) {
      asked.push(before);
      const forgotten = Math.min(left, limit);
      left -= forgotten;
      return forgotten;
    },
  };
  await forgetCalls({ now: NOW }, { ledgers });
  expect(asked).toEqual(Array(batches).fill(NOW - 120 * MINUTE));
});
