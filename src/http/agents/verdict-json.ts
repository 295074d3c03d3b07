// A verdict as JSON: the 200 body, and the refusals 402, 403, 429 and 503 with their remediation.

import type { Context } from "hono";
import type { Instant } from "../../budget/instant.ts";
import { iso } from "../../budget/instant.ts";
import { dollars, percentNumber, usdNumber } from "../../budget/money.ts";
import { isPastReset } from "../../budget/period.ts";
import type { Verdict } from "../../budget/verdict.ts";
import type { AppEnv } from "../app-env.ts";
import { isoOrNull } from "../json-instant.ts";
import { type ProblemType, problem } from "../problem.ts";

/** The circuit breaker for LiteLLM opens for 5 s at a time, so a verdict that failed closed may change after that. */
const RETRY_UNKNOWN_SECONDS = 5;

/** LiteLLM holds a reservation only while a call is in flight. */
const RETRY_LITELLM_REFUSED_SECONDS = 1;

/** LiteLLM resets up to 10 min late. Asking more often would load LiteLLM and learn nothing. */
const RETRY_PAST_RESET_SECONDS = 30;

/** snake_case; US dollars and percent as numbers, instants ISO 8601 UTC; null where the value is unknown. */
export function verdictJson(verdict: Verdict) {
  const { budget, spend } = verdict;
  const usd = (amount: bigint | undefined) => (amount === undefined ? null : usdNumber(amount));
  const percent = (share: bigint | null | undefined) => (share == null ? null : percentNumber(share));
  return {
    tenant_id: verdict.tenantId,
    allowed: verdict.allowed,
    state: verdict.state,
    reason: verdict.reason,
    currency: "USD",
    spend: usd(spend?.spendNanoUsd),
    limit: usd(budget?.limitNanoUsd),
    used_percent: percent(spend?.used),
    max_budget: usd(budget?.maxBudgetNanoUsd),
    override_amount: usd(budget?.overrideNanoUsd),
    alert_threshold: percent(budget?.alertThreshold),
    grace_threshold: percent(budget?.graceThreshold),
    remaining: usd(spend?.remainingNanoUsd),
    blocks_at: usd(budget?.blocksAtNanoUsd),
    period_started_at: isoOrNull(budget?.periodStartedAt ?? null),
    resets_at: isoOrNull(budget?.resetsAt ?? null),
    as_of: isoOrNull(spend?.asOf ?? null),
    age_seconds: spend?.ageSeconds ?? null,
    source: verdict.source,
    degraded: verdict.degraded,
    enforcement: verdict.enforcement,
    ...(verdict.wouldBlock !== null && { would_block: verdict.wouldBlock }),
  };
}

/** The response: 200 with the verdict, or a problem whose extension members are the verdict. */
export function verdictResponse(c: Context<AppEnv>, verdict: Verdict, keepForMs: number): Response {
  const headers: Record<string, string> = {
    // A cache subtracts `Age` from max-age; the rest is how long it may keep the verdict.
    "Cache-Control": `private, max-age=${maxAgeSeconds(verdict, keepForMs)}`,
    ...(verdict.spend !== null && { Age: String(verdict.spend.ageSeconds) }),
  };
  if (verdict.allowed) return c.json(verdictJson(verdict), 200, headers);
  const { type, detail, remediation, retryAfterSeconds } = refusal(verdict, c.get("now"));
  return problem(c, type, {
    detail,
    members: { remediation, ...verdictJson(verdict) },
    headers: { ...headers, ...(retryAfterSeconds !== null && { "Retry-After": String(retryAfterSeconds) }) },
  });
}

function maxAgeSeconds({ spend, degraded }: Verdict, keepForMs: number): number {
  return degraded ? 0 : (spend?.ageSeconds ?? 0) + Math.floor(keepForMs / 1_000);
}

interface Refusal {
  readonly type: ProblemType;
  readonly detail: string;
  readonly remediation: readonly string[];
  readonly retryAfterSeconds: number | null;
}

/** The problem type, detail and remediation of a verdict that refuses. */
export function refusal(verdict: Verdict, now: Instant): Refusal {
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
    case "litellm_refused":
      return refusedByLiteLlm(verdict);
    default:
      return overBudget(verdict, now);
  }
}

function refusedByLiteLlm({ tenantId, spend, budget }: Verdict): Refusal {
  const used = spend && budget && `: ${dollars(spend.spendNanoUsd)} of ${dollars(budget.limitNanoUsd)} used`;
  const tenant = tenantId === null ? "" : ` of tenant ${tenantId}`;
  return {
    type: "litellm-refused-call",
    detail: `LiteLLM refused this call for a budget or a reservation of its own, not for the budget${tenant}${used ?? ""}.`,
    remediation: [
      "Retry in a second: LiteLLM reserves the highest cost of each call in flight until the call ends.",
      "Set max_tokens, or lower it: without it LiteLLM reserves the cost of 16,384 tokens.",
      "Ask an administrator to set disable_budget_reservation in LiteLLM's general_settings.",
      "If it persists, ask an administrator which other LiteLLM budget refuses: the user's, the team member's or the model's.",
    ],
    retryAfterSeconds: RETRY_LITELLM_REFUSED_SECONDS,
  };
}

function overBudget({ tenantId, spend, budget }: Verdict, now: Instant): Refusal {
  const current = dollars(spend?.spendNanoUsd ?? 0n);
  const limit = dollars(budget?.limitNanoUsd ?? 0n);
  const resetsAt = budget?.resetsAt ?? null;
  return {
    type: "budget-exceeded",
    detail: `Budget exceeded for tenant ${tenantId}. Current: ${current}, Limit: ${limit}. Contact admin to increase budget.`,
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
