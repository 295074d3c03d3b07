// After all other tests: what the real proxy has sent to Bursar in this run.

import { expect, it } from "vitest";
import { GUARD_PATH, relayedSince, report } from "../support/product.ts";

const WEBHOOK_PATH = "/v1/webhooks/litellm/dev-webhook-url-token";
const EVENTS_PATH = "/v1/events/litellm";

it.each([
  ["alert", WEBHOOK_PATH, 200],
  ["batch of call events", EVENTS_PATH, 200],
  ["question of the guardrail", GUARD_PATH, 200],
])("Bursar has accepted every %s of this proxy", async (what, wanted, accepted) => {
  const sent = (await relayedSince(0)).filter(({ path }) => path === wanted);
  report(`${sent.length} requests to ${wanted}`);
  expect(sent.length, what).toBeGreaterThan(0);
  expect(sent.filter(({ status }) => status !== accepted)).toEqual([]);
});
