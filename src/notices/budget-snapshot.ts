// A tenant's budget at the instant of its alert, as every renderer shows it. Every number and date of a notice comes
// from here, so that no two of them contradict each other. Compares exactly, decides nothing.

import type { Instant } from "../budget/instant.ts";
import { remainingOf } from "../budget/limit.ts";
import { type BasisPoints, type NanoUsd, partOf, shareOf, WHOLE } from "../budget/money.ts";
import type { State } from "../budget/verdict.ts";
import type { AlertNotice } from "./notice.ts";

export type KnownState = Exclude<State, "unknown">;

export interface BudgetSnapshot {
  /** When the alert was recorded: what the notice calls past or future is so at this instant. */
  readonly at: Instant;
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
  /** Null when the thresholds of the alert's instant are not known. */
  readonly block: { readonly atNanoUsd: NanoUsd; readonly threshold: BasisPoints } | null;
  readonly resetsAt: Instant | null;
  readonly observes: boolean;
}

export function snapshotOf(notice: AlertNotice): BudgetSnapshot {
  const { alert } = notice;
  const { eventType, spendNanoUsd, limitNanoUsd, maxBudgetNanoUsd } = alert;
  const used = shareOf(spendNanoUsd, limitNanoUsd);
  const crossed = eventType === "threshold_crossed" ? alert.threshold : null;
  const alertThreshold = crossed ?? notice.alertThreshold;
  const block = blockOf(notice);
  // With a limit of zero, a spend of zero is already blocked.
  const isBlocked = block !== null && spendNanoUsd >= block.atNanoUsd;
  const budgetState = isBlocked ? "blocked" : stateBelowBlock(spendNanoUsd, limitNanoUsd, alertThreshold);
  return {
    at: alert.createdAt,
    state: eventType === "tenant_suspended" ? "blocked" : budgetState,
    budgetState,
    spendNanoUsd,
    limitNanoUsd,
    maxBudgetNanoUsd,
    overrideNanoUsd: atLeastZero(limitNanoUsd - maxBudgetNanoUsd),
    used,
    remainingNanoUsd: remainingOf(limitNanoUsd, spendNanoUsd),
    block,
    resetsAt: alert.resetsAt,
    observes: notice.enforcement === "observe",
  };
}

/**
 * Where the tenant is blocked. The tenant's block threshold may have changed since the alert: a block has the threshold
 * that was crossed, and a block that has ended was above the spend.
 */
function blockOf({ alert, graceThreshold }: AlertNotice): BudgetSnapshot["block"] {
  const { eventType, spendNanoUsd, limitNanoUsd } = alert;
  const threshold = eventType === "budget_blocked" ? (alert.threshold ?? graceThreshold) : graceThreshold;
  const atNanoUsd = partOf(limitNanoUsd, threshold);
  return eventType === "budget_resolved" && spendNanoUsd >= atNanoUsd ? null : { atNanoUsd, threshold };
}

function stateBelowBlock(spend: NanoUsd, limit: NanoUsd, alertThreshold: BasisPoints): "ok" | "warning" | "grace" {
  if (spend >= partOf(limit, WHOLE)) return "grace";
  return spend >= partOf(limit, alertThreshold) ? "warning" : "ok";
}

function atLeastZero(amount: NanoUsd): NanoUsd {
  return amount > 0n ? amount : 0n;
}
