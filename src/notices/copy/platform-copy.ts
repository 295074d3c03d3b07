// The copy and facts of notices to operators. The copy contains no text from outside; the facts may.

import type { Instant } from "../../budget/instant.ts";
import type { PlatformAlertRecord } from "../../records/platform-alert.ts";
import { dateOf, moneyOf, textOf } from "../detail.ts";
import { amountText, type Fact, futureDate, pastDate } from "../facts.ts";
import { instantText } from "../format.ts";
import type { Copy } from "./copy.ts";

export function platformCopy({ kind, detail }: PlatformAlertRecord): Copy {
  const copy = COPY[kind];
  if (kind !== "budgets_reset") return { tone: "platform", tag: "Platform", ...copy };
  return { tone: "reset", tag: "Reset", ...copy, predicate: resetPredicate(detail["tenants"]) };
}

/** "1,000 budgets were reset". */
function resetPredicate(count: unknown): string {
  if (count === 1) return "1 budget was reset";
  return typeof count === "number"
    ? `${count.toLocaleString("en-US")} budgets were reset`
    : COPY.budgets_reset.predicate;
}

const COPY: Readonly<Record<PlatformAlertRecord["kind"], Pick<Copy, "predicate" | "advice">>> = {
  dead_letter: {
    predicate: "A queue message failed every attempt",
    advice: "Read GET /v1/dead-letters, fix the cause that the error names, and replay the message.",
  },
  sync_pending: {
    predicate: "A tenant's budget is not synced to LiteLLM",
    advice:
      "Read the tenant's litellm_sync_error for LiteLLM's answer and fix its cause. Bursar retries automatically.",
  },
  subject_missing: {
    predicate: "LiteLLM does not have a tenant's key or team",
    advice: "Restore the key or team in LiteLLM, or delete the tenant. GET /v1/tenants/{id} shows subject_missing_at.",
  },
  tenants_unread: {
    predicate: "Some tenants' spend has not been read for an hour",
    advice: "Search the log for these tenant ids. GET /v1/tenants/{id} shows unread_since.",
  },
  litellm_silent: {
    predicate: "Bursar has read no tenant's spend in the last two hours",
    advice: "Search the log for failed reads, and check that the spend queue has a consumer.",
  },
  litellm_unreadable: {
    predicate: "Bursar cannot parse LiteLLM's answers",
    advice: "Check what changed in LiteLLM, such as its version. The log has the event litellm read failed.",
  },
  mark_copied: {
    predicate: "A key in LiteLLM has the mark of another key's tenant",
    advice: "Delete the other key in LiteLLM, or make the tenant's second key with POST /v1/tenants/{id}/keys.",
  },
  spend_fell: {
    predicate: "A tenant's spend fell within its period",
    advice:
      "LiteLLM shows less than before, without a reset: someone corrected it, or a call had a price below zero. Compare its spend logs with GET /v1/audit (spend_fell). Correct the spend, or reset the tenant.",
  },
  channel_broken: {
    predicate: "A channel's provider refuses its notices",
    advice: "Set a new target with PATCH /v1/channels/{id}, then test it with POST /v1/channels/{id}/test.",
  },
  budgets_reset: {
    predicate: "Budgets were reset",
    advice: "GET /v1/alerts lists every reset. Remove budget_reset from the channel's events to stop this digest.",
  },
  litellm_out: {
    predicate: "LiteLLM is unreachable",
    advice: "Restore LiteLLM, or fix LITELLM_URL and LITELLM_MASTER_KEY. GET /readyz shows each dependency.",
  },
};

/** The label of the tenant that has waited longest, of several. */
const OLDEST: Partial<Record<PlatformAlertRecord["kind"], string>> = {
  sync_pending: "Oldest pending tenant",
  subject_missing: "Missing longest",
};

export function platformFacts({ kind, detail, begunAt, createdAt }: PlatformAlertRecord): Fact[] {
  const count = (label: string, field: string) => {
    const value = detail[field];
    return typeof value === "number" ? [{ label, value: String(value) }] : [];
  };
  const text = (label: string, field: string) => {
    const value = textOf(detail, field);
    return value === null ? [] : [{ label, value }];
  };
  const money = (label: string, field: string) => {
    const amount = moneyOf(detail, field);
    return amount === null ? [] : [{ label, value: amountText(amount) }];
  };
  const fact = (label: string, date: Instant | null) => (date === null ? [] : [{ label, value: instantText(date) }]);
  const past = (label: string, field: string) => fact(label, pastDate(dateOf(detail, field), createdAt));
  const openUntil = dateOf(detail, "open_until");
  return [
    ...count("Dead letters", "dead_letters"),
    ...text("Queue", "queue"),
    // The sentence of a digest has their number.
    ...(kind === "budgets_reset" ? [] : count("Tenants", "tenants")),
    ...text(OLDEST[kind] ?? "Tenant", "tenant_id"),
    ...text("Including", "names"),
    ...text("Channel", "channel"),
    ...text("Longest unread", "tenant_ids"),
    ...text("Key", "key_hash"),
    ...money("Spend before", "spend_before"),
    ...money("Spend now", "spend_after"),
    ...text("Error", "error"),
    ...past("Since", "since"),
    ...past("Last read", "last_read_at"),
    ...fact("Fail-open ends", futureDate(openUntil, createdAt)),
    ...fact("Fail-open ended", pastDate(openUntil, createdAt)),
    { label: "First seen", value: instantText(begunAt) },
  ];
}
