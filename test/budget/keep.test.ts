// How long a caller may keep a verdict: never past the instant at which the same figure means something else.

import { describe, expect, it } from "vitest";
import { keepForMs } from "../../src/budget/freshness.ts";
import { verdictWithoutRead } from "../../src/budget/verdict.ts";
import { anOverride, aSpendRecord, aTenantConfig, DAY, NOW, PERIOD_START, SECOND, usd } from "./builders.ts";

const justRead = { observedAt: NOW, readAt: NOW, spendRateNanoUsdPerSecond: 0n };

describe("a verdict may be kept", () => {
  it("as long as its figure is fresh, less its age", () => {
    const record = aSpendRecord({ ...justRead, observedAt: NOW - 20 * SECOND, readAt: NOW - 20 * SECOND });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(40 * SECOND);
  });

  it("until an override ends, not longer", () => {
    const config = aTenantConfig({ overrides: [anOverride({ expiresAt: NOW + 7 * SECOND })] });
    expect(keepForMs(config, aSpendRecord(justRead), NOW)).toBe(7 * SECOND);
  });

  it("until the period ends, not longer", () => {
    const record = aSpendRecord({ ...justRead, resetsAt: NOW + 3 * SECOND });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(3 * SECOND);
  });

  it("for a budget that never resets as for any other", () => {
    expect(keepForMs(aTenantConfig(), aSpendRecord({ ...justRead, resetsAt: null }), NOW)).toBe(60 * SECOND);
  });

  it("15 s while LiteLLM's reset is awaited", () => {
    const record = aSpendRecord({ ...justRead, resetsAt: NOW - SECOND });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(15 * SECOND);
  });

  it("not at all once its figure is old", () => {
    const record = aSpendRecord({ ...justRead, observedAt: NOW - DAY, readAt: NOW - DAY });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(0);
  });
});

it("a figure of the period before blocks nobody when LiteLLM cannot be read", () => {
  const config = aTenantConfig({ litellmKeyLastReset: PERIOD_START });
  const record = aSpendRecord({ spendNanoUsd: usd("600"), periodStartedAt: PERIOD_START - DAY });
  const verdict = verdictWithoutRead(config, record, NOW, "open");
  expect([verdict.allowed, verdict.state, verdict.source]).toEqual([true, "unknown", "fail_open"]);
});
