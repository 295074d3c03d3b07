// Where a tenant stood when its alert was recorded: the figures that every rendering shows. Compares exactly, decides nothing.

import { type BasisPoints, type NanoUsd, partOf, WHOLE } from "../budget/money.ts";
import type { Instant } from "../budget/tenant.ts";
import type { State } from "../budget/verdict.ts";
import type { AlertNotice } from "./notice.ts";

export type KnownState = Exclude<State, "unknown">;

export interface BudgetSnapshot {
  readonly state: KnownState;
  /** By the figures alone, whether or not somebody has suspended the tenant. */
  readonly budgetState: KnownState;
  readonly spendNanoUsd: NanoUsd;
  readonly limitNanoUsd: NanoUsd;
  readonly maxBudgetNanoUsd: NanoUsd;
  /** What counts on top of max_budget. */
  readonly overrideNanoUsd: NanoUsd;
  /** Null when the limit is zero. */
  readonly used: BasisPoints | null;
  /** Until the limit, as a verdict says it; never negative. */
  readonly remainingNanoUsd: NanoUsd;
  readonly overLimitNanoUsd: NanoUsd;
  readonly blocksAtNanoUsd: NanoUsd;
  /** Until the block; never negative. */
  readonly untilBlockNanoUsd: NanoUsd;
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  readonly resetsAt: Instant | null;
  readonly observes: boolean;
}

export function snapshotOf(notice: AlertNotice): BudgetSnapshot {
  const { alert } = notice;
  const { spendNanoUsd, limitNanoUsd, maxBudgetNanoUsd } = alert;
  // A threshold may have been changed since: the one that was crossed is the alert's own.
  const crossed = (eventType: string) => (alert.eventType === eventType ? alert.threshold : null);
  const alertThreshold = crossed("threshold_crossed") ?? notice.alertThreshold;
  const graceThreshold = crossed("budget_blocked") ?? notice.graceThreshold;
  const blocksAtNanoUsd = partOf(limitNanoUsd, graceThreshold);
  // A limit of zero is exceeded by a spend of zero.
  const isBlocked = spendNanoUsd >= blocksAtNanoUsd;
  const budgetState = isBlocked ? "blocked" : stateBelowBlock(spendNanoUsd, limitNanoUsd, alertThreshold);
  return {
    state: alert.eventType === "tenant_suspended" ? "blocked" : budgetState,
    budgetState,
    spendNanoUsd,
    limitNanoUsd,
    maxBudgetNanoUsd,
    overrideNanoUsd: atLeastZero(limitNanoUsd - maxBudgetNanoUsd),
    used: alert.used,
    remainingNanoUsd: atLeastZero(limitNanoUsd - spendNanoUsd),
    overLimitNanoUsd: atLeastZero(spendNanoUsd - limitNanoUsd),
    blocksAtNanoUsd,
    untilBlockNanoUsd: atLeastZero(blocksAtNanoUsd - spendNanoUsd),
    alertThreshold,
    graceThreshold,
    resetsAt: alert.resetsAt,
    observes: notice.enforcement === "observe",
  };
}

function stateBelowBlock(spend: NanoUsd, limit: NanoUsd, alertThreshold: BasisPoints): "ok" | "warning" | "grace" {
  if (spend >= partOf(limit, WHOLE)) return "grace";
  return spend >= partOf(limit, alertThreshold) ? "warning" : "ok";
}

function atLeastZero(amount: NanoUsd): NanoUsd {
  return amount > 0n ? amount : 0n;
}
