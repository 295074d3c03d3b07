// The words on how a tenant stands by its figures. They follow the state and not the event: an alert that is repeated
// may find its tenant further on. Own words only; nothing from outside is ever put into them.

import { dollars } from "../../budget/money.ts";
import type { Standing } from "../budget-snapshot.ts";
import { instantText, percent } from "../format.ts";
import type { Words } from "./copy.ts";

/** The words of threshold_crossed, budget_crossed and budget_blocked. */
export function thresholdWords(standing: Standing): Words {
  if (standing.state === "blocked") return blockedWords(standing);
  const predicate = `has used ${usedText(standing)} of its budget`;
  const spend = dollars(standing.spendNanoUsd);
  const limit = dollars(standing.limitNanoUsd);
  if (standing.state === "grace") {
    const over = standing.overLimitNanoUsd;
    return {
      tone: "critical",
      tag: "Critical",
      predicate,
      summary: `${spend} is spent, ${over > 0n ? `${dollars(over)} over` : "all of"} the limit of ${limit}. ${outlook(standing)}`,
      advice: adviceToRaise(standing, "If the tenant is to go on working, raise max_budget or grant an override now."),
    };
  }
  return {
    tone: "warning",
    tag: "Warning",
    predicate,
    summary: `${spend} of ${limit} is spent: the alert threshold of ${percent(standing.alertThreshold)} is reached. ${outlook(standing)}`,
    advice:
      "If this spend is expected, raise max_budget or grant an override before the limit is reached. If it is not, find out what the tenant is running.",
  };
}

function blockedWords(standing: Standing): Words {
  const { limitNanoUsd, spendNanoUsd, blocksAtNanoUsd, graceThreshold, resetsAt } = standing;
  const isZero = limitNanoUsd === 0n;
  const spend = dollars(spendNanoUsd);
  const wait =
    resetsAt === null
      ? "This budget never resets by itself."
      : `Otherwise wait for the reset on ${instantText(resetsAt)}.`;
  return {
    tone: "blocked",
    tag: standing.observes ? "Would be blocked" : "Blocked",
    predicate: isZero
      ? `has a limit of ${dollars(0n)}; ${requestsAre(standing)} refused`
      : `has used ${usedText(standing)} of its budget; ${requestsAre(standing)} refused`,
    summary: isZero
      ? `The limit is ${dollars(0n)}, so ${requestsAre(standing, "every request")} refused, whatever is spent (${spend} so far).${aside(standing)}`
      : `${spend} is spent of a limit of ${dollars(limitNanoUsd)}. From ${dollars(blocksAtNanoUsd)} (${percent(graceThreshold)}) on, ${requestsAre(standing, "every request")} refused.${aside(standing)}`,
    advice: adviceToRaise(
      standing,
      isZero
        ? "To let requests through, set a max_budget above zero or grant an override."
        : `To let requests through again, raise max_budget or grant an override. ${wait}`,
    ),
  };
}

/** How things stand, in a sentence or two, for events that are about something else. */
export function standingSentence(standing: Standing): string {
  const spent = `${dollars(standing.spendNanoUsd)} of ${dollars(standing.limitNanoUsd)} is spent`;
  switch (standing.state) {
    case "ok":
      return `Requests go through: ${spent}, ${dollars(standing.remainingNanoUsd)} remains.`;
    case "warning":
      return `Requests go through, but ${spent} (${usedText(standing)}).`;
    case "grace":
      return `The limit is reached: ${spent} (${usedText(standing)}). ${outlook(standing)}`;
    case "blocked":
      return `By its budget the tenant is blocked: ${spent}.${aside(standing)}`;
  }
}

/** `are refused`, or `would be refused` for a tenant that is only watched. */
export function requestsAre({ observes }: Standing, subject = "requests"): string {
  if (observes) return `${subject} would be`;
  return `${subject} ${subject === "requests" ? "are" : "is"}`;
}

/** A tenant that is only watched goes on working whatever is done. */
export function adviceToRaise({ observes }: Standing, advice: string): string {
  return observes ? "Raise max_budget or grant an override before the tenant is enforced." : advice;
}

export function aside({ observes }: Standing): string {
  return observes ? " Nothing is refused: the tenant is only observed." : "";
}

/** Null has no percentage: then the words say what the limit is. */
export function usedText({ used }: Standing): string {
  return used === null ? "all" : percent(used);
}

function outlook(standing: Standing): string {
  if (standing.observes) return "Nothing will be refused: the tenant is only observed.";
  const { blocksAtNanoUsd, graceThreshold, untilBlockNanoUsd } = standing;
  const inGrace = standing.state === "grace" ? " in grace" : "";
  return `Requests still go through${inGrace}. They will be blocked at ${dollars(blocksAtNanoUsd)} (${percent(graceThreshold)}), ${dollars(untilBlockNanoUsd)} from here.`;
}
