// The limit: which overrides are active at which instant, what follows from them, and when the limit version changes.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { foldEnded, limitAt, limitVersion, nextLimitChange } from "../../src/budget/limit.ts";
import { periodStartedAt } from "../../src/budget/period.ts";
import type { Override } from "../../src/budget/tenant.ts";
import { verdictOn } from "../../src/budget/verdict.ts";
import {
  anInstantAround,
  anOverride,
  anyOverride,
  aSpendRecord,
  aTenantConfig,
  DAY,
  MINUTE,
  NOW,
  PERIOD_START,
  usd,
} from "./builders.ts";

const anyOverrides = fc.array(anyOverride, { maxLength: 5 });

describe("the limit", () => {
  it("equals max_budget without overrides, with both thresholds exact", () => {
    expect(limitAt(aTenantConfig(), NOW)).toEqual({
      limitNanoUsd: usd("500"),
      overrideNanoUsd: 0n,
      blocksAtNanoUsd: usd("550"),
      alertsAtNanoUsd: usd("400"),
    });
  });

  it("adds every active override", () => {
    const overrides = [anOverride({ amountNanoUsd: usd("100") }), anOverride({ id: "o2", amountNanoUsd: usd("0.5") })];
    expect(limitAt(aTenantConfig({ overrides }), NOW)).toEqual({
      limitNanoUsd: usd("600.5"),
      overrideNanoUsd: usd("100.5"),
      blocksAtNanoUsd: usd("660.55"),
      alertsAtNanoUsd: usd("480.4"),
    });
  });

  it("equals max_budget plus the overrides with created_at <= now < expires_at that are not revoked by now", () => {
    fc.assert(
      fc.property(anyOverrides, anInstantAround, (overrides, now) => {
        const counting = overrides.filter(
          ({ createdAt, expiresAt, revokedAt }) =>
            createdAt <= now && now < expiresAt && (revokedAt === null || now < revokedAt),
        );
        const sum = counting.reduce((total, { amountNanoUsd }) => total + amountNanoUsd, 0n);
        expect(limitAt(aTenantConfig({ overrides }), now).limitNanoUsd).toBe(usd("500") + sum);
      }),
    );
  });
});

describe("an override", () => {
  const from = NOW;
  const until = NOW + DAY;
  const revoked = NOW + MINUTE;
  test.each<[string, Partial<Override>, number, boolean]>([
    ["does not count 1 ms before its instant", {}, from - 1, false],
    ["counts from its instant", {}, from, true],
    ["counts up to 1 ms before its end", {}, until - 1, true],
    ["ends at its instant", {}, until, false],
    ["counts up to 1 ms before it is revoked", { revokedAt: revoked }, revoked - 1, true],
    ["ends when it is revoked", { revokedAt: revoked }, revoked, false],
    ["stays ended when it is revoked after its end", { revokedAt: until + MINUTE }, until, false],
    ["never counts when it is revoked in the instant of its grant", { revokedAt: from }, from, false],
  ])("%s", (_rule, differences, now, counts) => {
    const override = anOverride({ createdAt: from, expiresAt: until, ...differences });
    const { overrideNanoUsd } = limitAt(aTenantConfig({ overrides: [override] }), now);
    expect(overrideNanoUsd).toBe(counts ? usd("100") : 0n);
  });
});

describe("the limit version", () => {
  const override = anOverride({ createdAt: NOW, expiresAt: NOW + DAY });
  const config = aTenantConfig({ configVersion: 7, overrides: [override] });
  const revoked = aTenantConfig({ configVersion: 7, overrides: [{ ...override, revokedAt: NOW + MINUTE }] });

  test.each([
    ["before the grant", config, NOW - 1, 7],
    ["at the grant", config, NOW, 8],
    ["just before the end", config, NOW + DAY - 1, 8],
    ["at the end", config, NOW + DAY, 9],
    ["long after the end", config, NOW + 900 * DAY, 9],
    ["at the revocation", revoked, NOW + MINUTE, 9],
    ["at the end of an override that was revoked before", revoked, NOW + DAY, 9],
  ])("%s counts the changes up to that moment", (_when, desired, now, version) => {
    expect(limitVersion(desired, now)).toBe(version);
  });

  it("rises with every config version", () => {
    fc.assert(
      fc.property(anyOverrides, anInstantAround, fc.nat(1_000), (overrides, now, configVersion) => {
        const before = aTenantConfig({ overrides, configVersion });
        const after = aTenantConfig({ overrides, configVersion: configVersion + 1 });
        expect(limitVersion(after, now)).toBe(limitVersion(before, now) + 1);
      }),
    );
  });

  it("changes between two instants exactly when an override begins or ends between them, and only rises", () => {
    fc.assert(
      fc.property(anyOverrides, anInstantAround, anInstantAround, (overrides, a, b) => {
        const [from, to] = a <= b ? [a, b] : [b, a];
        const desired = aTenantConfig({ overrides });
        const happened = overrides.flatMap(eventsOf).filter((instant) => from < instant && instant <= to).length;
        expect(limitVersion(desired, to) - limitVersion(desired, from)).toBe(happened);
      }),
    );
  });

  it("never stays the same for two different limits of one config", () => {
    fc.assert(
      fc.property(anyOverrides, anInstantAround, anInstantAround, (overrides, a, b) => {
        const desired = aTenantConfig({ overrides });
        fc.pre(limitAt(desired, a).limitNanoUsd !== limitAt(desired, b).limitNanoUsd);
        expect(limitVersion(desired, a)).not.toBe(limitVersion(desired, b));
      }),
    );
  });
});

describe("a config whose ended overrides are only a number", () => {
  it("has the verdict, the limit and the limit version of the whole config, from the instant of the folding on", () => {
    const anySpend = fc.bigInt({ min: 0n, max: 1_000n }).map((dollars) => dollars * 10n ** 9n);
    fc.assert(
      fc.property(anyOverrides, anInstantAround, anInstantAround, anySpend, (overrides, from, now, spendNanoUsd) => {
        fc.pre(now >= from);
        const whole = aTenantConfig({ overrides, endedOverrides: 3 });
        const folded = foldEnded(whole, from);
        expect(limitAt(folded, now)).toEqual(limitAt(whole, now));
        expect(limitVersion(folded, now)).toBe(limitVersion(whole, now));
        expect(nextLimitChange(folded, now)).toBe(nextLimitChange(whole, now));
        const record = aSpendRecord({ spendNanoUsd });
        expect(verdictOn(folded, record, now, "cache")).toEqual(verdictOn(whole, record, now, "cache"));
        // Folding again changes nothing more, so copies that were folded at different instants agree.
        expect(foldEnded(folded, now)).toEqual(foldEnded(whole, now));
      }),
    );
  });

  it("keeps the overrides that are active or have not begun", () => {
    const ended = anOverride({ id: "ended", createdAt: NOW - 2 * DAY, expiresAt: NOW });
    const revoked = anOverride({ id: "revoked", revokedAt: NOW - MINUTE });
    const future = anOverride({ id: "future", createdAt: NOW + MINUTE, revokedAt: NOW });
    const config = aTenantConfig({ overrides: [ended, anOverride(), revoked, future] });
    expect(foldEnded(config, NOW)).toEqual({ ...config, overrides: [anOverride(), future], endedOverrides: 2 });
  });
});

describe("the next change of the limit", () => {
  it("gives the earliest beginning or end that is still ahead", () => {
    const early = anOverride({ createdAt: NOW - DAY, expiresAt: NOW + 2 * DAY });
    const late = anOverride({ id: "o2", createdAt: NOW + DAY, expiresAt: NOW + 3 * DAY });
    const config = aTenantConfig({ overrides: [early, late] });
    expect(nextLimitChange(config, NOW)).toBe(NOW + DAY);
    expect(nextLimitChange(config, NOW + DAY)).toBe(NOW + 2 * DAY);
    expect(nextLimitChange(config, NOW + 3 * DAY)).toBeNull();
  });

  it("gives null without overrides, and for an override that never becomes active", () => {
    const never = anOverride({ createdAt: NOW + DAY, expiresAt: NOW + 2 * DAY, revokedAt: NOW + DAY });
    expect(nextLimitChange(aTenantConfig(), NOW)).toBeNull();
    expect(nextLimitChange(aTenantConfig({ overrides: [never] }), NOW)).toBeNull();
  });

  it("lies ahead, and until then the limit stays the same", () => {
    fc.assert(
      fc.property(anyOverrides, anInstantAround, anInstantAround, (overrides, now, later) => {
        const desired = aTenantConfig({ overrides });
        const next = nextLimitChange(desired, now) ?? Number.POSITIVE_INFINITY;
        expect(next).toBeGreaterThan(now);
        fc.pre(now <= later && later < next);
        expect(limitAt(desired, later)).toEqual(limitAt(desired, now));
      }),
    );
  });
});

describe("the period", () => {
  it("began at LiteLLM's last reset, else when the subject was created", () => {
    expect(periodStartedAt(aTenantConfig())).toBe(PERIOD_START);
    const fresh = aTenantConfig({ litellmKeyLastReset: null, subjectCreatedAt: NOW - DAY });
    expect(periodStartedAt(fresh)).toBe(NOW - DAY);
  });
});

/** When an override begins, and when it ends; one that ends before it begins does both at once. */
function eventsOf({ createdAt, expiresAt, revokedAt }: Override): number[] {
  const end = revokedAt !== null && revokedAt < expiresAt ? revokedAt : expiresAt;
  return [createdAt, end < createdAt ? createdAt : end];
}
