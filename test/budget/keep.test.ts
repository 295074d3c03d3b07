// How long a caller may cache a verdict: never past the instant at which the same spend gets another verdict.

import { describe, expect, it } from "vitest";
import { keepForMs } from "../../src/budget/freshness.ts";
import { verdictWithoutRead } from "../../src/budget/verdict.ts";
import { anOverride, aSpendRecord, aTenantConfig, DAY, NOW, PERIOD_START, SECOND, usd } from "./builders.ts";

const justRead = { observedAt: NOW, readAt: NOW, spendRateNanoUsdPerSecond: 0n };

describe("keepForMs", () => {
  it("keeps a verdict while its spend is fresh, less its age", () => {
    const record = aSpendRecord({ ...justRead, observedAt: NOW - 20 * SECOND, readAt: NOW - 20 * SECOND });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(40 * SECOND);
  });

  it("keeps a verdict at most until an override ends", () => {
    const config = aTenantConfig({ overrides: [anOverride({ expiresAt: NOW + 7 * SECOND })] });
    expect(keepForMs(config, aSpendRecord(justRead), NOW)).toBe(7 * SECOND);
  });

  it("keeps a verdict at most until the period ends", () => {
    const record = aSpendRecord({ ...justRead, resetsAt: NOW + 3 * SECOND });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(3 * SECOND);
  });

  it("keeps a verdict for a budget that never resets like any other", () => {
    expect(keepForMs(aTenantConfig(), aSpendRecord({ ...justRead, resetsAt: null }), NOW)).toBe(60 * SECOND);
  });

  it("keeps a verdict for 15 s while LiteLLM's reset is due", () => {
    const record = aSpendRecord({ ...justRead, resetsAt: NOW - SECOND });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(15 * SECOND);
  });

  it("keeps no verdict on stale spend", () => {
    const record = aSpendRecord({ ...justRead, observedAt: NOW - DAY, readAt: NOW - DAY });
    expect(keepForMs(aTenantConfig(), record, NOW)).toBe(0);
  });
});

it("never blocks on spend of the period before when LiteLLM cannot be read", () => {
  const config = aTenantConfig({ litellmKeyLastReset: PERIOD_START });
  const record = aSpendRecord({ spendNanoUsd: usd("600"), periodStartedAt: PERIOD_START - DAY });
  const verdict = verdictWithoutRead(config, record, NOW, "open");
  expect([verdict.allowed, verdict.state, verdict.source]).toEqual([true, "unknown", "fail_open"]);
});
