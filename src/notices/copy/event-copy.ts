// The words of every kind of event, and of a test. Own words and figures only; nothing from outside is put into them.

import { dollars } from "../../budget/money.ts";
import type { AlertRecord } from "../../records/alert-record.ts";
import type { BudgetSnapshot } from "../budget-snapshot.ts";
import { dateOf, moneyOf } from "../detail.ts";
import { dayText, instantText } from "../format.ts";
import type { Copy } from "./copy.ts";
import { adviceToRaise, snapshotSentence, thresholdCopy, usedText } from "./threshold-copy.ts";

const NOTHING_TO_DO = "Nothing needs to be done.";

export const TEST_WORDS: Copy = {
  tone: "test",
  tag: "Test",
  predicate: "This is only a test; no budget has changed",
  summary:
    "Somebody asked Bursar to try this channel, and it works. This is no alert: nothing was crossed, nothing is blocked.",
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
      return SUSPENDED_WORDS;
    case "tenant_resumed":
      return resumedCopy(snapshot);
  }
}

function resolvedCopy(snapshot: BudgetSnapshot): Copy {
  return {
    tone: "resolved",
    tag: "Resolved",
    predicate: `is no longer blocked (${usedText(snapshot)} used)`,
    summary: snapshotSentence(snapshot),
    advice: adviceByState(snapshot),
  };
}

function projectedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const spend = moneyOf(detail, "projected_spend");
  const date = dateOf(detail, "projected_exceeded_date");
  const reaches = spend === null ? "the spend goes past" : `the spend reaches ${dollars(spend)}, past`;
  return {
    tone: "projected",
    tag: "Forecast",
    predicate: `is on course to exceed its limit${date === null ? "" : ` on ${dayText(date)}`}`,
    summary: `At its present rate ${reaches} the limit of ${dollars(snapshot.limitNanoUsd)}. ${snapshotSentence(snapshot)}`,
    advice: "If this is expected, raise max_budget in time. If it is not, find out what the tenant is running.",
  };
}

function resetCopy({ periodStartedAt }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  return {
    tone: "reset",
    tag: "Reset",
    predicate: "has begun a new budget period",
    summary: `The spend counts from zero again since ${instantText(periodStartedAt)}. ${snapshotSentence(snapshot)}`,
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
    advice: `${adviceByState(snapshot)} When the override ends, the limit goes down by itself.`,
  };
}

function endedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const amount = moneyOf(detail, "override_amount");
  const increase = `The temporary increase${amount === null ? "" : ` of ${dollars(amount)}`}`;
  const end = dateOf(detail, "revoked_at") === null ? "is over" : "was taken back before its end";
  return {
    tone: "override",
    tag: "Override ended",
    predicate: `now has a limit of ${dollars(snapshot.limitNanoUsd)}`,
    summary: `${increase} ${end}. ${snapshotSentence(snapshot)}`,
    advice: adviceByState(snapshot),
  };
}

/** The same for a tenant that is only observed: a kill switch counts there too. */
const SUSPENDED_WORDS: Copy = {
  tone: "suspended",
  tag: "Suspended",
  predicate: "is suspended; requests are refused",
  summary: "Whatever its budget says, every request is refused until an administrator resumes the tenant.",
  advice: "If nobody meant to suspend it, resume the tenant.",
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
      return adviceToRaise(snapshot, "To let requests through, raise max_budget or grant an override.");
    case "grace":
      return adviceToRaise(snapshot, "If the tenant is to go on working, raise max_budget or grant an override.");
    default:
      return NOTHING_TO_DO;
  }
}
