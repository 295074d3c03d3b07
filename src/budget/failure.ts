// What happens when LiteLLM cannot be read: the fail policy and its time limit, and the circuit breaker in front of
// LiteLLM. Pure.

import type { Instant } from "./instant.ts";
import type { FailPolicy, TenantConfig } from "./tenant.ts";

/**
 * The fail policy that applies now. After `failOpenMinutes` of outage, `open` becomes `closed`, because unmeasured
 * spend has grown for that long. 0 means never.
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

/**
 * One failure may be a lost packet; three in a row open the breaker of this isolate. It stays open as long as a refresh
 * claim lasts.
 */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 5_000;

/** True while LiteLLM must not be called. After the pause, the outcome of the next call decides. */
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
