// Reported spend: a lower bound of the current period, or ignored.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  confirmableAt,
  foldReported,
  foldReportedAtEdge,
  isUnconfirmed,
  type ReportedObservation,
} from "../../src/budget/reported-spend.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import { aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "./builders.ts";

const config = aTenantConfig();

function fold(
  observation: Partial<ReportedObservation>,
  differences: { spend?: SpendRecord | null; periodSeenAt?: number } = {},
) {
  const { spend = aSpendRecord({ observedAt: NOW - MINUTE, readAt: NOW - MINUTE }), periodSeenAt = PERIOD_START } =
    differences;
  const whole: ReportedObservation = {
    spendNanoUsd: usd("120"),
    source: "webhook",
    begunAt: NOW,
    observedAt: NOW,
    resetsAt: undefined,
    ...observation,
  };
  return { spend, folded: foldReported({ config, spend, periodSeenAt }, whole) };
}

describe("a higher observation", () => {
  it("counts from the moment of its observation", () => {
    const { folded } = fold({});
    expect(folded).toMatchObject({
      spendNanoUsd: usd("120"),
      source: "webhook",
      observedAt: NOW,
      readAt: NOW - MINUTE,
    });
  });

  it("becomes the first record of a tenant without a read", () => {
    const { folded } = fold({}, { spend: null });
    expect(folded).toMatchObject({
      spendNanoUsd: usd("120"),
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
      readAt: null,
    });
  });

  it("never returns after a later read has disproved it", () => {
    const spend = aSpendRecord({ readAt: NOW + 2 * MINUTE, observedAt: NOW + 2 * MINUTE });
    expect(fold({}, { spend }).folded).toBe(spend);
  });
});

it("returns the same record for lower or equal spend", () => {
  for (const amount of ["100", "99.999999999", "0"]) {
    const { spend, folded } = fold({ spendNanoUsd: usd(amount) });
    expect(folded).toBe(spend);
  }
});

describe("an observation of another period", () => {
  it.each([
    ["with the end of another period", { resetsAt: RESET - 30 * DAY }],
    ["of a call within 90 s of the period's start", { begunAt: PERIOD_START + 90 * SECOND - 1 }],
    ["of a call before the period", { begunAt: PERIOD_START - 1 }],
  ])("%s is ignored", (_, observation) => {
    expect(fold(observation).folded).toBeNull();
  });

  it("counts from 90 s after LiteLLM was first seen in the period, which it enters late", () => {
    const periodSeenAt = PERIOD_START + 9 * MINUTE;
    expect(fold({ begunAt: periodSeenAt + 90 * SECOND - 1 }, { periodSeenAt }).folded).toBeNull();
    expect(fold({ begunAt: periodSeenAt + 90 * SECOND }, { periodSeenAt }).folded).not.toBeNull();
  });

  it("treats ends that differ by a fraction of a second as the same period", () => {
    expect(fold({ resetsAt: RESET + 999 }).folded).not.toBeNull();
    expect(fold({ resetsAt: RESET + 1_000 }).folded).toBeNull();
  });

  it("counts at any time in the first period, which has no predecessor", () => {
    const first = aTenantConfig({ litellmKeyLastReset: null, subjectCreatedAt: NOW - SECOND });
    const observation = { spendNanoUsd: 1n, source: "events", begunAt: NOW, observedAt: NOW, resetsAt: RESET } as const;
    expect(foldReported({ config: first, spend: null, periodSeenAt: null }, observation)).toMatchObject({
      spendNanoUsd: 1n,
    });
  });
});

it("ignores order and repetition of observations", () => {
  const amounts = fc.array(fc.bigInt(0n, 10n ** 12n), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(amounts, fc.infiniteStream(fc.nat()), (spends, chance) => {
      const all = (order: readonly bigint[]) =>
        order.reduce<SpendRecord | null>((spend, spendNanoUsd) => fold({ spendNanoUsd }, { spend }).folded, null);
      const shuffled = [...spends, ...spends].toSorted(() => ((chance.next().value ?? 0) % 3) - 1);
      expect(all(shuffled)).toEqual(all(spends));
    }),
  );
});

describe("confirmation", () => {
  const observation = aSpendRecord({ source: "webhook", observedAt: NOW, readAt: NOW + 59 * SECOND });

  it("takes a read that began 60 s after the observation", () => {
    expect(confirmableAt(observation)).toBe(NOW + 60 * SECOND);
    expect(isUnconfirmed(observation)).toBe(true);
    expect(isUnconfirmed({ ...observation, readAt: NOW + 60 * SECOND })).toBe(false);
    expect(isUnconfirmed({ ...observation, readAt: null })).toBe(true);
  });

  it("needs no confirmation for LiteLLM's own spend", () => {
    expect(isUnconfirmed({ ...observation, source: "litellm" })).toBe(false);
  });
});

describe("reports at the edge", () => {
  const LATEST = 605 * SECOND + 90 * SECOND;
  const reported = (begunAt: number): ReportedObservation => ({
    spendNanoUsd: usd("120"),
    source: "gate",
    begunAt,
    observedAt: begunAt,
    resetsAt: undefined,
  });

  it.each([
    ["just before LiteLLM must have entered the period", LATEST - 1, null],
    ["from then on", LATEST, usd("120")],
  ])("treats spend of a call that began %s as the table says", (_, sinceMs, expected) => {
    const spend = aSpendRecord({ spendNanoUsd: 0n, observedAt: PERIOD_START, readAt: PERIOD_START });
    const folded = foldReportedAtEdge(config, spend, reported(PERIOD_START + sinceMs));
    expect(folded?.spendNanoUsd ?? null).toBe(expected);
  });

  it("counts at once in the first period, which has no spend to carry over", () => {
    const young = aTenantConfig({ litellmKeyLastReset: null, subjectCreatedAt: NOW });
    expect(foldReportedAtEdge(young, null, reported(NOW))?.spendNanoUsd).toBe(usd("120"));
  });

  it("waits when the record is already in a period that the config does not know", () => {
    const young = aTenantConfig({ litellmKeyLastReset: null, subjectCreatedAt: NOW - DAY });
    const spend = aSpendRecord({ spendNanoUsd: 0n, periodStartedAt: NOW });
    expect(foldReportedAtEdge(young, spend, reported(NOW + MINUTE))).toBeNull();
    expect(foldReportedAtEdge(young, spend, reported(NOW + LATEST))?.spendNanoUsd).toBe(usd("120"));
  });
});
