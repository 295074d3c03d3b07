// The copy of every event type, and of a channel test. Contains no text from outside.

import { dollars } from "../../budget/money.ts";
import type { AlertRecord } from "../../records/alert.ts";
import type { BudgetSnapshot } from "../budget-snapshot.ts";
import { dateOf, moneyOf } from "../detail.ts";
import { dayText, instantText } from "../format.ts";
import type { Copy } from "./copy.ts";
import { adviceToRaise, snapshotSentence, thresholdCopy, usedText } from "./threshold-copy.ts";

const NOTHING_TO_DO = "No action is needed.";

export const TEST_COPY: Copy = {
  tone: "test",
  tag: "Test",
  predicate: "This is a test of the channel; no budget has changed",
  summary: "The channel works. Test only: no threshold was crossed and nothing is blocked.",
  advice: NOTHING_TO_DO,
};

export function copyOf(alert: AlertRecord, snapshot: BudgetSnapshot): Copy {
  switch (alert.eventType) {
    case "threshold_crossed":
    case "budget_crossed":
    case "budget_blocked":
      return thresholdCopy(snapshot);
    case "budget_resolved":
      return resolvedCopy(snapshot);
    case "projected_limit_exceeded":
      return projectedCopy(alert, snapshot);
    case "budget_reset":
      return resetCopy(alert, snapshot);
    case "override_granted":
      return grantedCopy(alert, snapshot);
    case "override_ended":
      return endedCopy(alert, snapshot);
    case "tenant_suspended":
      return SUSPENDED_COPY;
    case "tenant_resumed":
      return resumedCopy(snapshot);
  }
}

function resolvedCopy(snapshot: BudgetSnapshot): Copy {
  return {
    tone: "resolved",
    tag: "Resolved",
    predicate: `${snapshot.observes ? "would no longer be" : "is no longer"} blocked (${usedText(snapshot)} used)`,
    summary: snapshotSentence(snapshot),
    advice: adviceByState(snapshot),
  };
}

function projectedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const spend = moneyOf(detail, "projected_spend");
  const date = dateOf(detail, "projected_exceeded_date");
  const reaches = spend === null ? "the spend exceeds" : `the spend reaches ${dollars(spend)} and exceeds`;
  return {
    tone: "projected",
    tag: "Forecast",
    predicate: `is on course to exceed its limit${date === null ? "" : ` on ${dayText(date)}`}`,
    summary: `At the current spend rate ${reaches} the limit of ${dollars(snapshot.limitNanoUsd)}. ${snapshotSentence(snapshot)}`,
    advice: "If this spend is expected, raise max_budget before then. If not, find out what the tenant is running.",
  };
}

function resetCopy({ periodStartedAt }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  return {
    tone: "reset",
    tag: "Reset",
    predicate: "has started a new budget period",
    summary: `Spend counts from zero since ${instantText(periodStartedAt)}. ${snapshotSentence(snapshot)}`,
    advice: adviceByState(snapshot),
  };
}

function grantedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const amount = moneyOf(detail, "override_amount");
  const expiresAt = dateOf(detail, "expires_at");
  const until = expiresAt === null ? "" : ` until ${instantText(expiresAt)}`;
  return {
    tone: "override",
    tag: "Override granted",
    predicate: amount === null ? `may spend more${until}` : `may spend ${dollars(amount)} more${until}`,
    summary: `The limit is now ${dollars(snapshot.limitNanoUsd)}. ${snapshotSentence(snapshot)}`,
    advice: `${adviceByState(snapshot)} The limit goes down automatically when the override ends.`,
  };
}

function endedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const amount = moneyOf(detail, "override_amount");
  const increase = `The temporary increase${amount === null ? "" : ` of ${dollars(amount)}`}`;
  const end = dateOf(detail, "revoked_at") === null ? "has expired" : "was revoked before it expired";
  return {
    tone: "override",
    tag: "Override ended",
    predicate: `now has a limit of ${dollars(snapshot.limitNanoUsd)}`,
    summary: `${increase} ${end}. ${snapshotSentence(snapshot)}`,
    advice: adviceByState(snapshot),
  };
}

/** The same for an observed tenant: suspension refuses its requests too. */
const SUSPENDED_COPY: Copy = {
  tone: "suspended",
  tag: "Suspended",
  predicate: "is suspended; requests are refused",
  summary: "Every request is refused, whatever the budget, until an administrator resumes the tenant.",
  advice: "If the suspension is a mistake, resume the tenant.",
};

function resumedCopy(snapshot: BudgetSnapshot): Copy {
  return {
    tone: "resumed",
    tag: "Resumed",
    predicate: "is no longer suspended",
    summary: snapshotSentence(snapshot),
    advice: adviceByState(snapshot),
  };
}

function adviceByState(snapshot: BudgetSnapshot): string {
  switch (snapshot.state) {
    case "blocked":
      return adviceToRaise(snapshot, "To allow requests, raise max_budget or grant an override.");
    case "grace":
      return adviceToRaise(snapshot, "To keep the tenant working, raise max_budget or grant an override.");
    default:
      return NOTHING_TO_DO;
  }
}
