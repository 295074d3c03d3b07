// The words of every kind of event, and of a test. Own words and figures only; nothing from outside is put into them.

import { dollars } from "../../budget/money.ts";
import type { AlertRecord } from "../../records/alert-record.ts";
import type { Standing } from "../budget-snapshot.ts";
import { dateOf, moneyOf } from "../detail.ts";
import { dayText, instantText } from "../format.ts";
import type { Words } from "./copy.ts";
import { adviceToRaise, standingSentence, thresholdWords, usedText } from "./threshold-copy.ts";

const NOTHING_TO_DO = "Nothing needs to be done.";

export const TEST_WORDS: Words = {
  tone: "test",
  tag: "Test",
  predicate: "This is only a test; no budget has changed",
  summary:
    "Somebody asked Bursar to try this channel, and it works. This is no alert: nothing was crossed, nothing is blocked.",
  advice: NOTHING_TO_DO,
};

export function wordsOf(alert: AlertRecord, standing: Standing): Words {
  switch (alert.eventType) {
    case "threshold_crossed":
    case "budget_crossed":
    case "budget_blocked":
      return thresholdWords(standing);
    case "budget_resolved":
      return resolvedWords(standing);
    case "projected_limit_exceeded":
      return projectedWords(alert, standing);
    case "budget_reset":
      return resetWords(alert, standing);
    case "override_granted":
      return grantedWords(alert, standing);
    case "override_ended":
      return endedWords(alert, standing);
    case "tenant_suspended":
      return SUSPENDED_WORDS;
    case "tenant_resumed":
      return resumedWords(standing);
  }
}

function resolvedWords(standing: Standing): Words {
  return {
    tone: "resolved",
    tag: "Resolved",
    predicate: `is no longer blocked (${usedText(standing)} used)`,
    summary: standingSentence(standing),
    advice: adviceByState(standing),
  };
}

function projectedWords({ detail }: AlertRecord, standing: Standing): Words {
  const spend = moneyOf(detail, "projected_spend");
  const date = dateOf(detail, "projected_exceeded_date");
  const reaches = spend === null ? "the spend goes past" : `the spend reaches ${dollars(spend)}, past`;
  return {
    tone: "projected",
    tag: "Forecast",
    predicate: `is on course to exceed its limit${date === null ? "" : ` on ${dayText(date)}`}`,
    summary: `At its present rate ${reaches} the limit of ${dollars(standing.limitNanoUsd)}. ${standingSentence(standing)}`,
    advice: "If this is expected, raise max_budget in time. If it is not, find out what the tenant is running.",
  };
}

function resetWords({ periodStartedAt }: AlertRecord, standing: Standing): Words {
  return {
    tone: "reset",
    tag: "Reset",
    predicate: "has begun a new budget period",
    summary: `The spend counts from zero again since ${instantText(periodStartedAt)}. ${standingSentence(standing)}`,
    advice: adviceByState(standing),
  };
}

function grantedWords({ detail }: AlertRecord, standing: Standing): Words {
  const amount = moneyOf(detail, "override_amount");
  const expiresAt = dateOf(detail, "expires_at");
  const until = expiresAt === null ? "" : ` until ${instantText(expiresAt)}`;
  return {
    tone: "override",
    tag: "Override granted",
    predicate: amount === null ? `may spend more${until}` : `may spend ${dollars(amount)} more${until}`,
    summary: `The limit is now ${dollars(standing.limitNanoUsd)}. ${standingSentence(standing)}`,
    advice: `${adviceByState(standing)} When the override ends, the limit goes down by itself.`,
  };
}

function endedWords({ detail }: AlertRecord, standing: Standing): Words {
  const amount = moneyOf(detail, "override_amount");
  const increase = `The temporary increase${amount === null ? "" : ` of ${dollars(amount)}`}`;
  const end = dateOf(detail, "revoked_at") === null ? "is over" : "was taken back before its end";
  return {
    tone: "override",
    tag: "Override ended",
    predicate: `now has a limit of ${dollars(standing.limitNanoUsd)}`,
    summary: `${increase} ${end}. ${standingSentence(standing)}`,
    advice: adviceByState(standing),
  };
}

/** The same for a tenant that is only observed: a kill switch counts there too. */
const SUSPENDED_WORDS: Words = {
  tone: "suspended",
  tag: "Suspended",
  predicate: "is suspended; requests are refused",
  summary: "Whatever its budget says, every request is refused until an administrator resumes the tenant.",
  advice: "If nobody meant to suspend it, resume the tenant.",
};

function resumedWords(standing: Standing): Words {
  return {
    tone: "resumed",
    tag: "Resumed",
    predicate: "is no longer suspended",
    summary: standingSentence(standing),
    advice: adviceByState(standing),
  };
}

function adviceByState(standing: Standing): string {
  switch (standing.state) {
    case "blocked":
      return adviceToRaise(standing, "To let requests through, raise max_budget or grant an override.");
    case "grace":
      return adviceToRaise(standing, "If the tenant is to go on working, raise max_budget or grant an override.");
    default:
      return NOTHING_TO_DO;
  }
}
