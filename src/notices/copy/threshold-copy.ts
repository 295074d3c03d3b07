// The copy about a tenant's budget state. It follows the state rather than the event type, because the state may have
// changed by the time of a reminder. Contains no text from outside.

import { dollars } from "../../budget/money.ts";
import type { BudgetSnapshot } from "../budget-snapshot.ts";
import { instantText, percent } from "../format.ts";
import type { Copy } from "./copy.ts";

/** The copy of threshold_crossed, budget_crossed and budget_blocked. */
export function thresholdCopy(snapshot: BudgetSnapshot): Copy {
  if (snapshot.state === "blocked") return blockedCopy(snapshot);
  const predicate = `has used ${usedText(snapshot)} of its budget`;
  const spend = dollars(snapshot.spendNanoUsd);
  const limit = dollars(snapshot.limitNanoUsd);
  if (snapshot.state === "grace") {
    const over = snapshot.overLimitNanoUsd;
    return {
      tone: "critical",
      tag: "Critical",
      predicate,
      summary: `${spend} is spent, ${over > 0n ? `${dollars(over)} over` : "all of"} the limit of ${limit}. ${outlook(snapshot)}`,
      advice: adviceToRaise(snapshot, "To keep the tenant working, raise max_budget or grant an override now."),
    };
  }
  return {
    tone: "warning",
    tag: "Warning",
    predicate,
    summary: `${spend} of ${limit} is spent: the alert threshold of ${percent(snapshot.alertThreshold)} is reached. ${outlook(snapshot)}`,
    advice:
      "If this spend is expected, raise max_budget or grant an override before the tenant reaches its limit. If not, find out what the tenant is running.",
  };
}

function blockedCopy(snapshot: BudgetSnapshot): Copy {
  const { limitNanoUsd, spendNanoUsd, blocksAtNanoUsd, graceThreshold, resetsAt } = snapshot;
  const isZero = limitNanoUsd === 0n;
  const spend = dollars(spendNanoUsd);
  const wait =
    resetsAt === null
      ? "This budget never resets automatically."
      : `Otherwise wait for the reset on ${instantText(resetsAt)}.`;
  return {
    tone: "blocked",
    tag: snapshot.observes ? "Would be blocked" : "Blocked",
    predicate: isZero
      ? `has a limit of ${dollars(0n)}; ${requestsAre(snapshot)} refused`
      : `has used ${usedText(snapshot)} of its budget; ${requestsAre(snapshot)} refused`,
    summary: isZero
      ? `The limit is ${dollars(0n)}, so ${requestsAre(snapshot, "every request")} refused, at any spend (${spend} so far).${observedNote(snapshot)}`
      : `${spend} is spent of a limit of ${dollars(limitNanoUsd)}. At ${dollars(blocksAtNanoUsd)} (${percent(graceThreshold)}) and above, ${requestsAre(snapshot, "every request")} refused.${observedNote(snapshot)}`,
    advice: adviceToRaise(
      snapshot,
      isZero
        ? "To allow requests, set a max_budget above zero or grant an override."
        : `To allow requests again, raise max_budget or grant an override. ${wait}`,
    ),
  };
}

/** The budget state in a sentence or two, for events about something else. */
export function snapshotSentence(snapshot: BudgetSnapshot): string {
  const spent = `${dollars(snapshot.spendNanoUsd)} of ${dollars(snapshot.limitNanoUsd)} is spent`;
  switch (snapshot.state) {
    case "ok":
      return `Requests go through: ${spent}, ${dollars(snapshot.remainingNanoUsd)} remains.`;
    case "warning":
      return `Requests go through, but ${spent} (${usedText(snapshot)}).`;
    case "grace":
      return `The limit is reached: ${spent} (${usedText(snapshot)}). ${outlook(snapshot)}`;
    case "blocked":
      return `The tenant ${snapshot.observes ? "would be" : "is"} blocked by its budget: ${spent}.${observedNote(snapshot)}`;
  }
}

/** `requests are`, or `requests would be` for an observed tenant. */
export function requestsAre({ observes }: BudgetSnapshot, subject = "requests"): string {
  if (observes) return `${subject} would be`;
  return `${subject} ${subject === "requests" ? "are" : "is"}`;
}

/** An observed tenant keeps working, so its advice is about later enforcement. */
export function adviceToRaise({ observes }: BudgetSnapshot, advice: string): string {
  return observes ? "Raise max_budget or grant an override before you enforce this tenant's budget." : advice;
}

export function observedNote({ observes }: BudgetSnapshot): string {
  return observes ? " Nothing is refused: the tenant is only observed." : "";
}

/** `all` when the limit is zero and has no percentage. */
export function usedText({ used }: BudgetSnapshot): string {
  return used === null ? "all" : percent(used);
}

function outlook(snapshot: BudgetSnapshot): string {
  if (snapshot.observes) return "Nothing will be refused: the tenant is only observed.";
  const { blocksAtNanoUsd, graceThreshold, untilBlockNanoUsd } = snapshot;
  const inGrace = snapshot.state === "grace" ? " in grace" : "";
  return `Requests still go through${inGrace}. They are blocked at ${dollars(blocksAtNanoUsd)} (${percent(graceThreshold)}), after ${dollars(untilBlockNanoUsd)} more.`;
}
