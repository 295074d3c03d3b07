// The copy of every event type, and of a channel test. Contains no text from outside.

import type { AlertEventType } from "../../budget/alert.ts";
import type { AlertRecord } from "../../records/alert.ts";
import type { BudgetSnapshot } from "../budget-snapshot.ts";
import { dateOf, moneyOf } from "../detail.ts";
import { amountText, futureDate } from "../facts.ts";
import { instantText, percent } from "../format.ts";
import type { Copy } from "./copy.ts";
import { adviceByState, consequence, thresholdCopy } from "./threshold-copy.ts";

export const TEST_COPY: Copy = {
  tone: "test",
  tag: "Test",
  predicate: "This is a test of the channel; no budget has changed",
  advice: null,
};

/** @throws for a type that has no notices: an old one, or one of a later release after a rollback. */
export function copyOf(alert: AlertRecord, snapshot: BudgetSnapshot): Copy {
  switch (alert.eventType) {
    case "threshold_crossed":
    case "budget_crossed":
    case "budget_blocked":
      return thresholdCopy(snapshot);
    case "budget_resolved":
      return resolvedCopy(snapshot);
    case "budget_reset":
      return plainCopy("reset", "Reset", "has started a new budget period", snapshot);
    case "override_granted":
      return grantedCopy(alert, snapshot);
    case "override_ended":
      return endedCopy(alert, snapshot);
    case "tenant_suspended":
      return SUSPENDED_COPY;
    case "tenant_resumed":
      return plainCopy("resumed", "Resumed", "is no longer suspended", snapshot);
    default:
      throw new Error(`unknown event type ${alert.eventType}`);
  }
}

/** LiteLLM's projections are hints. Their alerts of earlier releases stay in the history, without a notice. */
export function hasNotice({ eventType }: { eventType: AlertEventType }): boolean {
  return eventType !== "projected_limit_exceeded";
}

function plainCopy(tone: Copy["tone"], tag: string, predicate: string, snapshot: BudgetSnapshot): Copy {
  return { tone, tag, predicate: `${predicate}${consequence(snapshot)}`, advice: adviceByState(snapshot) };
}

function resolvedCopy(snapshot: BudgetSnapshot): Copy {
  const { observes, used } = snapshot;
  const share = used === null ? "" : ` (${percent(used)} used)`;
  return plainCopy(
    "resolved",
    "Resolved",
    `${observes ? "would no longer be" : "is no longer"} blocked${share}`,
    snapshot,
  );
}

function grantedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const amount = moneyOf(detail, "override_amount");
  const expiresAt = futureDate(dateOf(detail, "expires_at"), snapshot.at);
  const until = expiresAt === null ? "" : ` until ${instantText(expiresAt)}`;
  const more = amount === null ? "more" : `${amountText(amount)} more`;
  return plainCopy("override", "Override granted", `may spend ${more}${until}`, snapshot);
}

function endedCopy({ detail }: AlertRecord, snapshot: BudgetSnapshot): Copy {
  const amount = moneyOf(detail, "override_amount");
  const override = amount === null ? "an override" : `an override of ${amountText(amount)}`;
  const end = dateOf(detail, "revoked_at") === null ? "has expired" : "was revoked";
  return plainCopy("override", "Override ended", `no longer has ${override}: it ${end}`, snapshot);
}

/** The same for an observed tenant: suspension refuses its requests too. */
const SUSPENDED_COPY: Copy = {
  tone: "suspended",
  tag: "Suspended",
  predicate: "is suspended; requests are refused",
  advice: "If the suspension is a mistake, resume the tenant.",
};
