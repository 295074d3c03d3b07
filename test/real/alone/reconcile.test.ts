// The sweep beside a real LiteLLM. Its clock is ahead, so nothing else may run meanwhile.

import { expect, it } from "vitest";
import { eventually } from "../../e2e/support/api.ts";
import { api, LEARNED_MS, manage, newTenant, pause, report, sweep } from "../support/product.ts";

/** A tenant that was read is due again after 45 minutes. */
const DUE_MS = 46 * 60_000;

it("the sweep learns what somebody has moved in LiteLLM by hand", async () => {
  const { tenantId, key } = await newTenant({ max_budget: 10 });
  await manage("POST", "/key/update", { key, spend: 9 });
  const begunAt = Date.now();
  await sweep(DUE_MS);
  const tenant = await eventually(async () => {
    await pause(500);
    const { body } = await api.admin("GET", `/v1/tenants/${tenantId}`);
    return body.spend === 9 && body;
  }, LEARNED_MS);
  report(`the sweep learned of a spend moved by hand in ${((Date.now() - begunAt) / 1_000).toFixed(1)} s`);
  expect(tenant).toMatchObject({ state: "warning", used_percent: 90 });
});
