// Builders for the inputs of the rules, and the fast-check generators that several suites share. The defaults are the
// design's. Decides nothing: an expected result does not belong here.

import fc from "fast-check";
import type { Ledger } from "../../src/budget/counting.ts";
import { nanoUsdFromDecimal } from "../../src/budget/money.ts";
import type { SpendRead, SpendRecord } from "../../src/budget/spend.ts";
import {
  ALERT_THRESHOLD_RANGE,
  DEFAULT_BUDGET,
  GRACE_THRESHOLD_RANGE,
  type KeyHash,
  type Override,
  type TenantConfig,
  type TenantId,
} from "../../src/budget/tenant.ts";

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const DAY = 86_400_000;

/** The moment of most tests: in the middle of the period below. */
export const NOW = Date.UTC(2026, 10, 15, 12);
export const PERIOD_START = Date.UTC(2026, 10, 1);
export const RESET = Date.UTC(2026, 11, 1);

/** US dollars, written as a decimal: `usd("412.5")`. */
export function usd(decimal: string): bigint {
  const amount = nanoUsdFromDecimal(decimal);
  if (amount === null) throw new Error(`not an amount: ${decimal}`);
  return amount;
}

/** The largest of some amounts; 0 of none. */
export function largest(amounts: readonly bigint[]): bigint {
  return amounts.toSorted((a, b) => (a < b ? 1 : -1))[0] ?? 0n;
}

export function aTenantConfig(differences: Partial<TenantConfig> = {}): TenantConfig {
  return {
    ...DEFAULT_BUDGET,
    tenantId: "acme" as TenantId,
    name: null,
    subject: { kind: "key", id: "a".repeat(64) as KeyHash },
    budgetResetAt: RESET,
    litellmKeyLastReset: PERIOD_START,
    subjectCreatedAt: PERIOD_START - 40 * DAY,
    configVersion: 1,
    revision: 1,
    failPolicy: null,
    suspendedAt: null,
    subjectMissingAt: null,
    litellmBlockedAt: null,
    overrides: [],
    endedOverrides: 0,
    createdAt: null,
    otherKeys: [],
    carriedNanoUsd: 0n,
    refusal: null,
    ...differences,
  };
}

export function anOverride(differences: Partial<Override> = {}): Override {
  return {
    id: "o1",
    amountNanoUsd: usd("100"),
    createdAt: NOW - DAY,
    expiresAt: NOW + DAY,
    revokedAt: null,
    ...differences,
  };
}

/** Spend read from LiteLLM just now. */
export function aSpendRecord(differences: Partial<SpendRecord> = {}): SpendRecord {
  return {
    spendNanoUsd: usd("100"),
    observedAt: NOW,
    readAt: NOW,
    source: "litellm",
    periodStartedAt: PERIOD_START,
    resetsAt: RESET,
    spendRateNanoUsdPerSecond: 0n,
    epoch: 1,
    ...differences,
  };
}

/** The ledger of a tenant whose spend one read has shown. */
export function aLedger(differences: Partial<Ledger> = {}): Ledger {
  const record = aSpendRecord(differences);
  const readAt = record.readAt ?? record.observedAt;
  return {
    ...record,
    baseNanoUsd: record.spendNanoUsd,
    baseAnsweredAt: readAt,
    sinceNanoUsd: 0n,
    countedAt: null,
    doubt: null,
    fenceAt: readAt,
    ...differences,
  };
}

export function aRead(differences: Partial<SpendRead> = {}): SpendRead {
  const begunAt = differences.begunAt ?? NOW;
  return { spendNanoUsd: usd("100"), begunAt, answeredAt: begunAt, resetsAt: RESET, ...differences };
}

/** Amounts from one nano-dollar to a billion dollars, in all magnitudes and with any decimals. */
export const anyLimit = fc.oneof(
  fc.bigInt({ min: 1n, max: 20_000n }),
  fc.bigInt({ min: 1n, max: 10n ** 18n }),
  fc.bigInt({ min: 1n, max: 10n ** 9n }).map((dollars) => dollars * 10n ** 9n),
);

export const anyAlertThreshold = fc.bigInt(ALERT_THRESHOLD_RANGE);
export const anyGraceThreshold = fc.bigInt(GRACE_THRESHOLD_RANGE);

/** Instants within two hours around NOW, on whole seconds so that equal ones are common. */
export const anInstantAround = fc.integer({ min: -3_600, max: 3_600 }).map((seconds) => NOW + seconds * SECOND);

export const anyOverride: fc.Arbitrary<Override> = fc.record({
  id: fc.uuid(),
  amountNanoUsd: anyLimit,
  createdAt: anInstantAround,
  expiresAt: anInstantAround,
  revokedAt: fc.option(anInstantAround, { nil: null }),
});
