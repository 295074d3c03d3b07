// The words of a refusal, from a verdict and the settings of its tenant. Decides only; Ask, Gate and Guard show them.

import { type Instant, iso } from "../../budget/instant.ts";
import { dollars } from "../../budget/money.ts";
import { isPastReset } from "../../budget/period.ts";
import type { Verdict } from "../../budget/verdict.ts";
import type { ProblemType } from "../problem.ts";

/** The circuit breaker for LiteLLM opens for 5 s at a time, so a verdict that failed closed may change after that. */
const RETRY_UNKNOWN_SECONDS = 5;

/** LiteLLM holds a reservation only while a call is in flight. */
const RETRY_LITELLM_REFUSED_SECONDS = 1;

/** LiteLLM resets up to 10 min late. Asking more often would load LiteLLM and learn nothing. */
const RETRY_PAST_RESET_SECONDS = 30;

export interface Refusal {
  readonly type: ProblemType;
  readonly detail: string;
  readonly remediation: readonly string[];
  readonly retryAfterSeconds: number | null;
}

/** `agent`: a caller with only a virtual key. `operator`: one with a read token, who sees every amount. */
export type Reader = "agent" | "operator";

export function showsAmounts({ refusal: settings }: Verdict, reader: Reader): boolean {
  return reader === "operator" || settings === null || settings.showsAmounts;
}

/** What a person decided: budget, suspension, block. The others are failures, and no message hides those. */
const DECIDED: readonly ProblemType[] = ["budget-exceeded", "tenant-suspended", "litellm-blocked"];

/**
 * The problem type, words and remediation of a verdict that refuses. A tenant's message replaces Bursar's words on what
 * was decided, and its contact URL follows them.
 */
export function refusal(verdict: Verdict, now: Instant, reader: Reader): Refusal {
  const plain = plainRefusal(verdict, now, reader);
  const settings = verdict.refusal;
  if (settings === null || !DECIDED.includes(plain.type)) return plain;
  const words = settings.message ?? plain.detail;
  return { ...plain, detail: settings.contactUrl === null ? words : `${words} Contact: ${settings.contactUrl}` };
}

function plainRefusal(verdict: Verdict, now: Instant, reader: Reader): Refusal {
  switch (verdict.reason) {
    case "suspended":
      return {
        type: "tenant-suspended",
        detail: `Tenant ${verdict.tenantId} is suspended. Contact admin to resume it.`,
        remediation: ["Ask an administrator to resume the tenant."],
        retryAfterSeconds: null,
      };
    case "litellm_blocked":
      return {
        type: "litellm-blocked",
        detail: `The key or team of tenant ${verdict.tenantId} is blocked in LiteLLM. Contact admin to unblock it there.`,
        remediation: ["Ask an administrator to unblock the key or team in LiteLLM."],
        retryAfterSeconds: null,
      };
    case "subject_missing":
      return {
        type: "subject-missing",
        detail: `LiteLLM does not have the key or team of tenant ${verdict.tenantId}, so its spend is unknown, and the fail policy is closed. Contact admin to restore it in LiteLLM.`,
        remediation: [
          "Ask an administrator to restore the key or team in LiteLLM.",
          "If your key was replaced, use the new one.",
        ],
        // Waiting does not bring the key back.
        retryAfterSeconds: null,
      };
    case "spend_unknown":
      return {
        type: "spend-unknown",
        detail: "The spend is unknown, and the fail policy is closed.",
        remediation: ["Try again shortly.", "If this persists, ask an administrator to check LiteLLM."],
        retryAfterSeconds: RETRY_UNKNOWN_SECONDS,
      };
    case "zero_limit":
      return {
        type: "budget-exceeded",
        detail: `Tenant ${verdict.tenantId} has no budget: its limit is zero. Contact admin to set a limit.`,
        remediation: ["Ask an administrator to set max_budget.", "Ask an administrator for a temporary override."],
        // A new period has the same limit.
        retryAfterSeconds: null,
      };
    case "litellm_refused":
      return refusedByLiteLlm(verdict, reader);
    default:
      return overBudget(verdict, now, reader);
  }
}

function refusedByLiteLlm(verdict: Verdict, reader: Reader): Refusal {
  const { tenantId, spend, budget } = verdict;
  const used =
    showsAmounts(verdict, reader) &&
    spend &&
    budget &&
    `: ${dollars(spend.spendNanoUsd)} of ${dollars(budget.limitNanoUsd)} used`;
  const tenant = tenantId === null ? "" : ` of tenant ${tenantId}`;
  return {
    type: "litellm-refused-call",
    detail: `LiteLLM refused this call for a budget or a reservation of its own, not for the budget${tenant}${used || ""}.`,
    remediation: [
      "Retry in a second: LiteLLM reserves the highest cost of each call in flight until the call ends.",
      "Set max_tokens, or lower it: without it LiteLLM reserves the cost of 16,384 tokens.",
      "Ask an administrator to set disable_budget_reservation in LiteLLM's general_settings.",
      "If it persists, ask an administrator which other LiteLLM budget refuses: the user's, the team member's or the model's.",
    ],
    retryAfterSeconds: RETRY_LITELLM_REFUSED_SECONDS,
  };
}

function overBudget(verdict: Verdict, now: Instant, reader: Reader): Refusal {
  const { tenantId, spend, budget } = verdict;
  const current = dollars(spend?.spendNanoUsd ?? 0n);
  const limit = dollars(budget?.limitNanoUsd ?? 0n);
  const amounts = showsAmounts(verdict, reader) ? ` Current: ${current}, Limit: ${limit}.` : "";
  const resetsAt = budget?.resetsAt ?? null;
  return {
    type: "budget-exceeded",
    detail: `Budget exceeded for tenant ${tenantId}.${amounts} Contact admin to increase budget.`,
    remediation: [
      "Ask an administrator to raise max_budget.",
      "Ask an administrator for a temporary override.",
      ...(resetsAt === null ? [] : [`Wait for the budget to reset at ${iso(resetsAt)}.`]),
    ],
    retryAfterSeconds: resetsAt === null ? null : secondsUntilReset(resetsAt, now),
  };
}

function secondsUntilReset(resetsAt: Instant, now: Instant): number {
  if (isPastReset({ resetsAt }, now)) return RETRY_PAST_RESET_SECONDS;
  return Math.max(1, Math.ceil((resetsAt - now) / 1_000));
}
