// The words on how a tenant stands by its figures. They follow the state and not the event: an alert that is repeated
// may find its tenant further on. Own words only; nothing from outside is ever put into them.

import { dollars } from "../../budget/money.ts";
import type { BudgetSnapshot } from "../budget-snapshot.ts";
import { instantText, percent } from "../format.ts";
import type { Copy } from "./copy.ts";

/** The words of threshold_crossed, budget_crossed and budget_blocked. */
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
      advice: adviceToRaise(snapshot, "If the tenant is to go on working, raise max_budget or grant an override now."),
    };
  }
  return {
    tone: "warning",
    tag: "Warning",
    predicate,
    summary: `${spend} of ${limit} is spent: the alert threshold of ${percent(snapshot.alertThreshold)} is reached. ${outlook(snapshot)}`,
    advice:
      "If this spend is expected, raise max_budget or grant an override before the limit is reached. If it is not, find out what the tenant is running.",
  };
}

function blockedCopy(snapshot: BudgetSnapshot): Copy {
  const { limitNanoUsd, spendNanoUsd, blocksAtNanoUsd, graceThreshold, resetsAt } = snapshot;
  const isZero = limitNanoUsd === 0n;
  const spend = dollars(spendNanoUsd);
  const wait =
    resetsAt === null
      ? "This budget never resets by itself."
      : `Otherwise wait for the reset on ${instantText(resetsAt)}.`;
  return {
    tone: "blocked",
    tag: snapshot.observes ? "Would be blocked" : "Blocked",
    predicate: isZero
      ? `has a limit of ${dollars(0n)}; ${requestsAre(snapshot)} refused`
      : `has used ${usedText(snapshot)} of its budget; ${requestsAre(snapshot)} refused`,
    summary: isZero
      ? `The limit is ${dollars(0n)}, so ${requestsAre(snapshot, "every request")} refused, whatever is spent (${spend} so far).${aside(snapshot)}`
      : `${spend} is spent of a limit of ${dollars(limitNanoUsd)}. From ${dollars(blocksAtNanoUsd)} (${percent(graceThreshold)}) on, ${requestsAre(snapshot, "every request")} refused.${aside(snapshot)}`,
    advice: adviceToRaise(
      snapshot,
      isZero
        ? "To let requests through, set a max_budget above zero or grant an override."
        : `To let requests through again, raise max_budget or grant an override. ${wait}`,
    ),
  };
}

/** How things stand, in a sentence or two, for events that are about something else. */
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
      return `By its budget the tenant is blocked: ${spent}.${aside(snapshot)}`;
  }
}

/** `are refused`, or `would be refused` for a tenant that is only watched. */
export function requestsAre({ observes }: BudgetSnapshot, subject = "requests"): string {
  if (observes) return `${subject} would be`;
  return `${subject} ${subject === "requests" ? "are" : "is"}`;
}

/** A tenant that is only watched goes on working whatever is done. */
export function adviceToRaise({ observes }: BudgetSnapshot, advice: string): string {
  return observes ? "Raise max_budget or grant an override before the tenant is enforced." : advice;
}

export function aside({ observes }: BudgetSnapshot): string {
  return observes ? " Nothing is refused: the tenant is only observed." : "";
}

/** Null has no percentage: then the words say what the limit is. */
export function usedText({ used }: BudgetSnapshot): string {
  return used === null ? "all" : percent(used);
}

function outlook(snapshot: BudgetSnapshot): string {
  if (snapshot.observes) return "Nothing will be refused: the tenant is only observed.";
  const { blocksAtNanoUsd, graceThreshold, untilBlockNanoUsd } = snapshot;
  const inGrace = snapshot.state === "grace" ? " in grace" : "";
  return `Requests still go through${inGrace}. They will be blocked at ${dollars(blocksAtNanoUsd)} (${percent(graceThreshold)}), ${dollars(untilBlockNanoUsd)} from here.`;
}
