// A verdict as JSON: amounts and percentages as exact numbers.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verdictOn, verdictOnNothing, verdictWithoutRead } from "../../../src/budget/verdict.ts";
import { verdictJson } from "../../../src/http/agents/verdict-json.ts";
import { isoOrNull } from "../../../src/http/json-instant.ts";
import { anOverride, aSpendRecord, aTenantConfig, NOW, usd } from "../../budget/builders.ts";

const on = (spend: string, config = {}) =>
  verdictJson(verdictOn(aTenantConfig(config), aSpendRecord({ spendNanoUsd: usd(spend) }), NOW, "cache"), "agent");

describe("amounts", () => {
  it.each([
    ["0.1", 0.1],
    ["0.30000000000000004", 0.3],
    ["412.5", 412.5],
    ["0.000000001", 1e-9],
    ["999999999.123456789", 999999999.1234568],
  ])("shows %s US dollars as the number %d", (spend, wire) => {
    expect(on(spend).spend).toBe(wire);
  });

  it("shows the limit as max_budget plus overrides, and the remaining amount", () => {
    const overrides = [anOverride({ amountNanoUsd: usd("50.5") })];
    expect(on("540", { maxBudgetNanoUsd: usd("499.5"), overrides })).toMatchObject({
      max_budget: 499.5,
      override_amount: 50.5,
      limit: 550,
      blocks_at: 605,
      remaining: 10,
    });
  });

  it("never shows a negative remaining amount", () => {
    expect(on("777").remaining).toBe(0);
  });
});

describe("percent", () => {
  it.each([
    ["549.999999999", 109.99, true],
    ["550", 110, false],
    ["399.999999999", 79.99, true],
    ["400", 80, true],
  ])("shows %s of 500 as %d percent", (spend, percent, isAllowed) => {
    expect(on(spend)).toMatchObject({ used_percent: percent, allowed: isAllowed });
  });

  it("keeps the decimals of thresholds", () => {
    expect(on("1", { alertThreshold: 8_550n, graceThreshold: 11_025n })).toMatchObject({
      alert_threshold: 85.5,
      grace_threshold: 110.25,
    });
  });

  it("never shows a threshold's percentage while the spend is below it", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 15n }),
        fc.bigInt({ min: 0n, max: 2n * 10n ** 15n }),
        (limit, spend) => {
          const record = aSpendRecord({ spendNanoUsd: spend });
          const json = verdictJson(
            verdictOn(aTenantConfig({ maxBudgetNanoUsd: limit }), record, NOW, "cache"),
            "agent",
          );
          expect(json.allowed).toBe((json.used_percent ?? 0) < 110);
        },
      ),
    );
  });
});

it("has would_block only under observe", () => {
  expect(on("600")).not.toHaveProperty("would_block");
  expect(on("600", { enforcement: "observe" })).toMatchObject({ allowed: true, would_block: true });
  expect(on("1", { enforcement: "observe" })).toMatchObject({ allowed: true, would_block: false });
});

it("shows unknown values as null, never as zero", () => {
  expect(verdictJson(verdictOnNothing(null, "closed"), "agent")).toEqual({
    tenant_id: null,
    allowed: false,
    state: "unknown",
    reason: "spend_unknown",
    currency: "USD",
    spend: null,
    limit: null,
    used_percent: null,
    max_budget: null,
    override_amount: null,
    alert_threshold: null,
    grace_threshold: null,
    remaining: null,
    blocks_at: null,
    period_started_at: null,
    resets_at: null,
    as_of: null,
    age_seconds: null,
    source: "fail_closed",
    degraded: true,
    enforcement: "enforce",
  });
});

it("shows a known budget without spend", () => {
  expect(verdictJson(verdictWithoutRead(aTenantConfig(), null, NOW, "open"), "agent")).toMatchObject({
    limit: 500,
    resets_at: "2026-12-01T00:00:00.000Z",
    spend: null,
    as_of: null,
    source: "fail_open",
  });
});

it("shows instants as ISO 8601 in UTC", () => {
  expect([isoOrNull(NOW), isoOrNull(null)]).toEqual(["2026-11-15T12:00:00.000Z", null]);
});
