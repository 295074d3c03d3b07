// The scenario behind docs/api.md, in the order of execution. The page has a different order.

import { AGENTS, GATE_AND_GUARD, REFUSALS } from "./examples/agents.ts";
import { CHANNELS, CHANNELS_LATER } from "./examples/channels.ts";
import { ALERTS, TRAIL, undelivered } from "./examples/history.ts";
import { KEYS } from "./examples/keys.ts";
import { LITELLM } from "./examples/litellm.ts";
import { OUTAGE } from "./examples/outage.ts";
import { OVERRIDES } from "./examples/overrides.ts";
import { SERVICE } from "./examples/service.ts";
import { TENANTS, TENANTS_LATER } from "./examples/tenants.ts";
import type { Step } from "./steps.ts";

export const SCENARIO: readonly Step[] = [
  ...SERVICE,
  ...TENANTS,
  ...CHANNELS,
  ...AGENTS,
  ...ALERTS,
  ...GATE_AND_GUARD,
  ...undelivered(REFUSALS),
  ...OVERRIDES,
  ...TRAIL,
  ...LITELLM,
  ...CHANNELS_LATER,
  ...KEYS,
  ...TENANTS_LATER,
  ...OUTAGE,
];
