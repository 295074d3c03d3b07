// What Guard adds to a call through the proxy. Measured and printed, never asserted.

import { expect, it } from "vitest";
import { compareGuard } from "../support/measure.ts";
import { newTenant, report } from "../support/product.ts";

it("Guard's share of a call is measured beside a proxy without Guard", async () => {
  const { key } = await newTenant({ max_budget: 10_000 });
  const lines = await compareGuard(key);
  for (const line of lines) report(line);
  expect(lines).toHaveLength(3);
}, 240_000);
