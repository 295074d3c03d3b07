// Evaluates acme's alerts at a spend, and builds the history that Postgres would then hold.

import type { AlertDraft } from "../../src/budget/alert.ts";
import {
  type AlertHistory,
  type FindAlertsInput,
  findAlerts,
  type RecordedAlert,
} from "../../src/budget/find-alerts.ts";
import { limitVersion } from "../../src/budget/limit.ts";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import { aSpendRecord, aTenantConfig, MINUTE, NOW, PERIOD_START, usd } from "./builders.ts";

export const HOUR = 60 * MINUTE;
export const acme = aTenantConfig({ maxBudgetNanoUsd: usd("500") });
export const NEVER_LOOKED: AlertHistory = { lastEvaluation: null, alerts: [] };

export function find(spend: string, differences: Partial<FindAlertsInput> = {}): AlertDraft[] {
  return findAlerts({
    config: acme,
    record: aSpendRecord({ spendNanoUsd: usd(spend) }),
    history: NEVER_LOOKED,
    isBaseline: false,
    repeats: [],
    repeatAfterMs: HOUR,
    now: NOW,
    ...differences,
  });
}

/** Each draft as text, such as `threshold_crossed announced`. */
export const summaryOf = (drafts: readonly AlertDraft[]) =>
  drafts.map(({ eventType, isSilent }) => `${eventType} ${isSilent ? "silent" : "announced"}`);

/** What Postgres knows after the drafts were recorded under a config. */
export function historyAfter(
  drafts: readonly AlertDraft[],
  config: TenantConfig = acme,
  createdAt = NOW,
): AlertHistory {
  const lastEvaluation = { limitVersion: limitVersion(config, NOW), periodStartedAt: PERIOD_START };
  return { lastEvaluation, alerts: drafts.map((draft): RecordedAlert => ({ ...draft, createdAt })) };
}

/** An evaluation at a later moment, and the history after it. */
export function findAt(spend: string, before: AlertHistory, now: number) {
  const drafts = find(spend, { history: before, now });
  const { lastEvaluation, alerts } = historyAfter(drafts, acme, now);
  return { drafts, history: { lastEvaluation, alerts: [...before.alerts, ...alerts] } };
}
