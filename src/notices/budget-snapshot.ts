// A tenant's budget when its alert was recorded, as every renderer shows it. Compares exactly, decides nothing.

import type { Instant } from "../budget/instant.ts";
import { type BasisPoints, type NanoUsd, partOf, WHOLE } from "../budget/money.ts";
import type { State } from "../budget/verdict.ts";
import type { AlertNotice } from "./notice.ts";

export type KnownState = Exclude<State, "unknown">;

export interface BudgetSnapshot {
  readonly state: KnownState;
  /** The state by spend and limit alone, ignoring a suspension. */
  readonly budgetState: KnownState;
  readonly spendNanoUsd: NanoUsd;
  readonly limitNanoUsd: NanoUsd;
  readonly maxBudgetNanoUsd: NanoUsd;
  /** The active overrides: the limit minus max_budget. */
  readonly overrideNanoUsd: NanoUsd;
  /** Null when the limit is zero. */
  readonly used: BasisPoints | null;
  /** Up to the limit, as in a verdict; never negative. */
  readonly remainingNanoUsd: NanoUsd;
  readonly overLimitNanoUsd: NanoUsd;
  readonly blocksAtNanoUsd: NanoUsd;
  /** Up to the block threshold; never negative. */
  readonly untilBlockNanoUsd: NanoUsd;
  readonly alertThreshold: BasisPoints;
  readonly graceThreshold: BasisPoints;
  readonly resetsAt: Instant | null;
  readonly observes: boolean;
}

export function snapshotOf(notice: AlertNotice): BudgetSnapshot {
  const { alert } = notice;
  const { spendNanoUsd, limitNanoUsd, maxBudgetNanoUsd } = alert;
  // The tenant's threshold may have changed since: for a crossing, the alert has the one that was crossed.
  const crossed = (eventType: string) => (alert.eventType === eventType ? alert.threshold : null);
  const alertThreshold = crossed("threshold_crossed") ?? notice.alertThreshold;
  const graceThreshold = crossed("budget_blocked") ?? notice.graceThreshold;
  const blocksAtNanoUsd = partOf(limitNanoUsd, graceThreshold);
  // With a limit of zero, a spend of zero is already blocked.
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
