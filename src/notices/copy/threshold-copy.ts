// The copy about a tenant's budget state. It follows the state rather than the event type, because the state may have
// changed by the time of a repetition. Contains no text from outside.

import type { BudgetSnapshot } from "../budget-snapshot.ts";
import { percent } from "../format.ts";
import type { Copy } from "./copy.ts";

/** The copy of threshold_crossed, budget_crossed and budget_blocked. */
export function thresholdCopy(snapshot: BudgetSnapshot): Copy {
  const { state, used, observes } = snapshot;
  const has = used === null ? "has a limit of zero" : `has used ${percent(used)} of its budget`;
  const predicate = `${has}${consequence(snapshot)}`;
  const advice = adviceByState(snapshot);
  switch (state) {
    case "blocked":
      return { tone: "blocked", tag: observes ? "Would be blocked" : "Blocked", predicate, advice };
    case "grace":
      return { tone: "critical", tag: "Critical", predicate, advice };
    default:
      return { tone: "warning", tag: "Warning", predicate, advice };
  }
}

/** What the budget does to the tenant's requests, as the end of a sentence; empty when the limit is not reached. */
export function consequence({ budgetState, observes }: BudgetSnapshot): string {
  if (budgetState === "blocked") return `; requests ${observes ? "would be" : "are"} refused`;
  if (budgetState !== "grace") return "";
  return observes ? "; requests still go through, because its budget is only observed" : "; requests still go through";
}

/** An observed tenant keeps working, so its advice is about later enforcement. */
export function adviceByState({ budgetState, observes, used }: BudgetSnapshot): string | null {
  if (budgetState === "ok") return null;
  if (observes) return "Raise max_budget or grant an override before you enforce this tenant's budget.";
  if (used === null) return "To allow requests, set a max_budget above zero or grant an override.";
  return budgetState === "blocked"
    ? "To allow requests again, raise max_budget or grant an override."
    : "To keep the tenant working, raise max_budget or grant an override.";
}
