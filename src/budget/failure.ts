// What happens when nothing can be read: the fail policy and its bound, and the breaker in front of LiteLLM. Pure.

import type { Instant } from "./instant.ts";
import type { FailPolicy, TenantConfig } from "./tenant.ts";

/**
 * The policy that applies now. Open is bounded: once LiteLLM has been out for `failOpenMinutes`, open turns closed,
 * because by then nobody knows what is being spent. 0 means never.
 */
export function failPolicyAt(input: {
  config: Pick<TenantConfig, "failPolicy"> | null;
  defaultPolicy: FailPolicy;
  outageStartedAt: Instant | null;
  failOpenMinutes: number;
  now: Instant;
}): FailPolicy {
  const policy = input.config?.failPolicy ?? input.defaultPolicy;
  if (policy === "closed" || input.outageStartedAt === null || input.failOpenMinutes === 0) return policy;
  const outageMs = input.now - input.outageStartedAt;
  return outageMs >= input.failOpenMinutes * 60_000 ? "closed" : "open";
}

export interface BreakerState {
  readonly failuresInARow: number;
  readonly openUntil: Instant;
}

export const CLOSED_BREAKER: BreakerState = { failuresInARow: 0, openUntil: 0 };

/** One lost packet is no outage; three in a row are. Open for as long as one refresher waits before the next. */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 5_000;

/** True when LiteLLM should not be asked now. After the pause one caller's outcome decides anew. */
export function isOpen(breaker: BreakerState, now: Instant): boolean {
  return now < breaker.openUntil;
}

export function afterSuccess(): BreakerState {
  return CLOSED_BREAKER;
}

export function afterFailure(breaker: BreakerState, now: Instant): BreakerState {
  const failuresInARow = breaker.failuresInARow + 1;
  const openUntil = failuresInARow >= FAILURES_TO_OPEN ? now + OPEN_MS : breaker.openUntil;
  return { failuresInARow, openUntil };
}
