// A verdict as JSON: the 200 body, and the refusals 402, 403, 429 and 503 with their remediation.

import type { Context } from "hono";
import { percentNumber, usdNumber } from "../../budget/money.ts";
import type { Verdict } from "../../budget/verdict.ts";
import type { CheckOutcome } from "../../flows/check/check.ts";
import type { AppEnv } from "../app-env.ts";
import { isoOrNull } from "../json-instant.ts";
import { problem } from "../problem.ts";
import { type Reader, refusal, showsAmounts } from "./refusal.ts";

/**
 * snake_case; US dollars and percent as numbers, instants ISO 8601 UTC; null where the value is unknown, or an amount
 * that the reader is not shown.
 */
export function verdictJson(verdict: Verdict, reader: Reader) {
  const { budget, spend, refusal: settings } = verdict;
  const isShown = showsAmounts(verdict, reader);
  const usd = (amount: bigint | undefined) => (amount === undefined || !isShown ? null : usdNumber(amount));
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
    ...(settings?.message && { refusal_message: settings.message }),
    ...(settings?.contactUrl && { contact_url: settings.contactUrl }),
  };
}

/** The response: 200 with the verdict, or a problem whose extension members are the verdict. */
export function verdictResponse(
  c: Context<AppEnv>,
  { verdict, keepForMs }: Pick<Extract<CheckOutcome, { kind: "verdict" }>, "verdict" | "keepForMs">,
  reader: Reader,
): Response {
  const headers: Record<string, string> = {
    // A cache subtracts `Age` from max-age; the rest is how long it may keep the verdict.
    "Cache-Control": `private, max-age=${maxAgeSeconds(verdict, keepForMs)}`,
    ...(verdict.spend !== null && { Age: String(verdict.spend.ageSeconds) }),
  };
  if (verdict.allowed) return c.json(verdictJson(verdict, reader), 200, headers);
  const { type, detail, remediation, retryAfterSeconds } = refusal(verdict, c.get("now"), reader);
  return problem(c, type, {
    detail,
    members: { remediation, ...verdictJson(verdict, reader) },
    headers: { ...headers, ...(retryAfterSeconds !== null && { "Retry-After": String(retryAfterSeconds) }) },
  });
}

function maxAgeSeconds({ spend, degraded }: Verdict, keepForMs: number): number {
  return degraded ? 0 : (spend?.ageSeconds ?? 0) + Math.floor(keepForMs / 1_000);
}
