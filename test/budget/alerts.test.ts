// Which alerts a figure calls for: by level, once each, and people hear of the highest only.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AlertDraft,
  type AlertStanding,
  alertIdentity,
  type FindAlertsInput,
  findAlerts,
  type RecordedAlert,
} from "../../src/budget/alerts.ts";
import { limitVersion } from "../../src/budget/limit.ts";
import type { TenantConfig, TenantId } from "../../src/budget/tenant.ts";
import {
  anOverride,
  anyAlertThreshold,
  anyGraceThreshold,
  anyLimit,
  aSpendRecord,
  aTenantConfig,
  DAY,
  MINUTE,
  NOW,
  PERIOD_START,
  RESET,
  usd,
} from "./builders.ts";

const HOUR = 60 * MINUTE;
const acme = aTenantConfig({ maxBudgetNanoUsd: usd("500") });
const NEVER_LOOKED: AlertStanding = { looked: null, alerts: [] };

function find(spend: string, differences: Partial<FindAlertsInput> = {}): AlertDraft[] {
  return findAlerts({
    config: acme,
    record: aSpendRecord({ spendNanoUsd: usd(spend) }),
    standing: NEVER_LOOKED,
    isBaseline: false,
    repeats: [],
    repeatAfterMs: HOUR,
    projections: [],
    now: NOW,
    ...differences,
  });
}

/** `threshold_crossed told`, and the like. */
const said = (drafts: readonly AlertDraft[]) =>
  drafts.map(({ eventType, isSilent }) => `${eventType} ${isSilent ? "silent" : "told"}`);

/** What Postgres knows after the drafts were recorded under a config. */
function standingAfter(drafts: readonly AlertDraft[], config: TenantConfig = acme, createdAt = NOW): AlertStanding {
  const looked = { limitVersion: limitVersion(config, NOW), periodStartedAt: PERIOD_START };
  return { looked, alerts: drafts.map((draft): RecordedAlert => ({ ...draft, createdAt })) };
}

describe("a threshold", () => {
  it.each([
    ["X3: 79.99 percent is silent", "399.999999999", []],
    ["X3: 80.00 percent alerts", "400", ["threshold_crossed told"]],
    ["99.99 percent is no crossing of the budget", "499.999999999", ["threshold_crossed told"]],
    ["100 percent", "500", ["threshold_crossed silent", "budget_crossed told"]],
    ["109.99 percent is not blocked", "549.999999999", ["threshold_crossed silent", "budget_crossed told"]],
    ["110.00 percent is", "550", ["threshold_crossed silent", "budget_crossed silent", "budget_blocked told"]],
  ])("%s", (_, spend, expected) => {
    expect(said(find(spend))).toEqual(expected);
  });

  it("says what was spent, of which limit, in which period", () => {
    const overrides = [anOverride({ amountNanoUsd: usd("100") })];
    const [draft] = find("500", { config: { ...acme, overrides } });
    expect(draft).toMatchObject({
      spendNanoUsd: usd("500"),
      maxBudgetNanoUsd: usd("500"),
      limitNanoUsd: usd("600"),
      used: 8_333n,
      threshold: 8_000n,
      periodStartedAt: PERIOD_START,
      resetsAt: RESET,
      limitVersion: 2,
      occurrence: 0,
    });
  });

  it("X1: a limit of zero is blocked, and has no percentages", () => {
    const drafts = find("0", { config: { ...acme, maxBudgetNanoUsd: 0n } });
    expect(said(drafts)).toEqual(["budget_blocked told"]);
    expect(drafts[0]?.used).toBeNull();
  });

  it("is recorded whatever was known before: no writer can swallow a crossing", () => {
    fc.assert(
      fc.property(
        anyLimit,
        anyAlertThreshold,
        anyGraceThreshold,
        fc.bigInt(0n, 3n * 10n ** 18n),
        (max, a, g, spend) => {
          const config = { ...acme, maxBudgetNanoUsd: max, alertThreshold: a, graceThreshold: g };
          const record = aSpendRecord({ spendNanoUsd: spend });
          const first = find("0", { config, record });
          const exceeded = [a, 10_000n, g].filter((threshold) => spend * 10_000n >= max * threshold).length;
          expect(first).toHaveLength(exceeded);
          expect(first.filter(({ isSilent }) => !isSilent)).toHaveLength(exceeded > 0 ? 1 : 0);
          expect(find("0", { config, record, standing: standingAfter(first, config) })).toEqual([]);
          for (const missing of first) {
            const rest = standingAfter(
              first.filter((draft) => draft !== missing),
              config,
            );
            expect(find("0", { config, record, standing: rest })).toEqual([{ ...missing, isSilent: false }]);
          }
        },
      ),
    );
  });
});

describe("recorded once", () => {
  it("N1: the same crossing is not alerted again, however often it is observed", () => {
    expect(find("420", { standing: standingAfter(find("400")) })).toEqual([]);
  });

  it("the next threshold is alerted alone", () => {
    expect(said(find("510", { standing: standingAfter(find("400")) }))).toEqual(["budget_crossed told"]);
  });

  it("a new period re-arms every threshold", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("400"), periodStartedAt: RESET, resetsAt: RESET + 31 * DAY });
    expect(said(find("0", { record, standing: standingAfter(find("400")) }))).toEqual(["threshold_crossed told"]);
  });

  it("what an adopted tenant was found with is recorded, and nobody told", () => {
    const drafts = find("550", { isBaseline: true });
    expect(said(drafts)).toEqual(["threshold_crossed silent", "budget_crossed silent", "budget_blocked silent"]);
  });

  it("after a baseline the next crossing is told", () => {
    const baseline = find("410", { isBaseline: true });
    expect(said(find("510", { standing: standingAfter(baseline) }))).toEqual(["budget_crossed told"]);
  });
});

describe("a new limit version", () => {
  const raised: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("520"), configVersion: 2 };
  const doubled: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("1000"), configVersion: 2 };

  it("carries what was announced and is still exceeded over in silence", () => {
    const drafts = find("450", { config: raised, standing: standingAfter(find("450")) });
    expect(said(drafts)).toEqual(["threshold_crossed silent"]);
    expect(drafts[0]?.limitVersion).toBe(2);
  });

  it("tells what was not announced before", () => {
    const lowered: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("440"), configVersion: 2 };
    const drafts = find("450", { config: lowered, standing: standingAfter(find("450")) });
    expect(said(drafts)).toEqual(["threshold_crossed silent", "budget_crossed told"]);
  });

  it("re-arms what is no longer exceeded: reached again, it is told again", () => {
    const { alerts } = standingAfter(find("450"));
    const lookedUnderDoubled = { looked: { limitVersion: 2, periodStartedAt: PERIOD_START }, alerts };
    expect(find("450", { config: doubled, standing: standingAfter(find("450")) })).toEqual([]);
    expect(said(find("800", { config: doubled, standing: lookedUnderDoubled }))).toEqual(["threshold_crossed told"]);
  });

  it("comes with an override's end: what was reached in between is told again when it is reached again", () => {
    const overrides = [anOverride({ amountNanoUsd: usd("500"), expiresAt: NOW - MINUTE })];
    const config = { ...acme, overrides };
    const { alerts } = standingAfter(find("450"));
    const lookedDuringOverride = { looked: { limitVersion: 2, periodStartedAt: PERIOD_START }, alerts };
    expect(said(find("450", { config, standing: lookedDuringOverride }))).toEqual(["threshold_crossed told"]);
    expect(said(find("450", { config, standing: standingAfter(find("450")) }))).toEqual(["threshold_crossed silent"]);
  });
});

describe("LiteLLM's repetition", () => {
  const standing = standingAfter(find("420"), acme, NOW - HOUR);
  const soft = { about: "alert_threshold", receivedAt: NOW } as const;

  it("N1: within the hour is a duplicate", () => {
    const repeats = [{ ...soft, receivedAt: NOW - 1 }];
    expect(find("420", { standing, repeats })).toEqual([]);
  });

  it("N1: after the hour is told as the next occurrence", () => {
    const drafts = find("420", { standing, repeats: [soft] });
    expect(said(drafts)).toEqual(["threshold_crossed told"]);
    expect(drafts[0]?.occurrence).toBe(1);
  });

  it("in duplicates is one occurrence", () => {
    expect(find("420", { standing, repeats: [soft, soft, soft] })).toHaveLength(1);
  });

  it("counts from the last occurrence, not from the first", () => {
    const { alerts, looked } = standing;
    const again = { looked, alerts: alerts.map((alert) => ({ ...alert, occurrence: 3, createdAt: NOW - MINUTE })) };
    expect(find("420", { standing: again, repeats: [soft] })).toEqual([]);
    const old = { looked, alerts: alerts.map((alert) => ({ ...alert, occurrence: 3 })) };
    expect(find("420", { standing: old, repeats: [soft] })[0]?.occurrence).toBe(4);
  });

  it("of what is not exceeded is nothing", () => {
    expect(find("420", { standing, repeats: [{ about: "block", receivedAt: NOW }] })).toEqual([]);
  });

  it("of a figure is about the highest threshold that the figure reaches", () => {
    const blocked = standingAfter(find("560"), acme, NOW - HOUR);
    const about = (spend: string) => [{ about: { spendNanoUsd: usd(spend) }, receivedAt: NOW }];
    expect(said(find("560", { standing: blocked, repeats: about("560") }))).toEqual(["budget_blocked told"]);
    expect(said(find("560", { standing: blocked, repeats: about("510") }))).toEqual(["budget_crossed told"]);
    expect(find("560", { standing: blocked, repeats: about("399") })).toEqual([]);
  });

  it("never comes from spend alone", () => {
    expect(find("430", { standing })).toEqual([]);
  });
});

describe("leaving the block", () => {
  const blocked = standingAfter(find("560"));
  const raised: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("1000"), configVersion: 2 };

  it("is told once per limit version", () => {
    const drafts = find("560", { config: raised, standing: blocked });
    expect(said(drafts)).toEqual(["budget_resolved told"]);
    const after = { ...blocked, alerts: [...blocked.alerts, ...standingAfter(drafts, raised, NOW + 1).alerts] };
    expect(find("560", { config: raised, standing: after })).toEqual([]);
  });

  it("is no news for a tenant that was not blocked", () => {
    expect(find("560", { config: raised, standing: standingAfter(find("510")) })).toEqual([]);
  });

  it("comes with a new period too", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("1"), periodStartedAt: RESET, resetsAt: RESET + 31 * DAY });
    expect(said(find("0", { record, standing: blocked }))).toEqual(["budget_resolved told"]);
  });

  it("is not told while the tenant is suspended", () => {
    expect(find("560", { config: { ...raised, suspendedAt: NOW }, standing: blocked })).toEqual([]);
  });
});

describe("a projection", () => {
  const projection = { projectedSpendNanoUsd: usd("700.5"), exceededDate: "2026-11-28", receivedAt: NOW };

  it("is told with LiteLLM's own figures", () => {
    const [draft] = find("100", { projections: [projection] });
    expect(draft).toMatchObject({
      eventType: "projected_limit_exceeded",
      isSilent: false,
      detail: { projected_spend: "700.5", projected_exceeded_date: "2026-11-28" },
    });
  });

  it("is told once a day", () => {
    const standing = standingAfter(find("100", { projections: [projection] }));
    expect(find("100", { standing, projections: [{ ...projection, receivedAt: NOW + HOUR }] })).toEqual([]);
    expect(find("100", { standing, projections: [{ ...projection, receivedAt: NOW + DAY }] })).toHaveLength(1);
  });
});

describe("an identity", () => {
  const tenantId = "acme/x" as TenantId;
  const base = { tenantId, periodStartedAt: 1, limitVersion: 2, threshold: 8_000n, occurrence: 0 } as const;
  const keys = [
    { ...base, eventType: "threshold_crossed" },
    { ...base, eventType: "budget_crossed" },
    { ...base, eventType: "budget_blocked" },
    { ...base, eventType: "threshold_crossed", occurrence: 1 },
    { ...base, eventType: "threshold_crossed", limitVersion: 3 },
    { ...base, eventType: "threshold_crossed", periodStartedAt: 2 },
    { ...base, eventType: "threshold_crossed", threshold: 8_050n },
    { ...base, eventType: "threshold_crossed", tenantId: "acme" as TenantId },
    { tenantId, eventType: "budget_resolved", periodStartedAt: 1, limitVersion: 2 },
    { tenantId, eventType: "projected_limit_exceeded", periodStartedAt: 1, day: "2026-11-25" },
    { tenantId, eventType: "budget_reset", periodStartedAt: 1 },
    { tenantId, eventType: "override_granted", overrideId: "o1" },
    { tenantId, eventType: "override_ended", overrideId: "o1" },
    { tenantId, eventType: "tenant_suspended", auditId: 7 },
    { tenantId, eventType: "tenant_resumed", auditId: 7 },
  ] as const;

  it("is another one whenever anything of it is another", () => {
    expect(new Set(keys.map(alertIdentity)).size).toBe(keys.length);
  });

  it("stays as it is for ever: Postgres holds old ones", () => {
    expect(alertIdentity({ ...base, eventType: "threshold_crossed" })).toBe("threshold_crossed/1/2/80/0/acme/x");
  });
});
