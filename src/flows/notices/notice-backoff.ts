// How long a notice that could not be sent waits for its next attempt, and when it is given up. Pure.

/** From a provider's hiccup to the outage of a morning. */
const BACKOFF_SECONDS = [10, 60, 300, 1_800, 3_600] as const;

/** No message waits longer than this; what is told later is no news. */
const MAX_SECONDS = 12 * 3_600;

/** `attempts`: how many have failed, from 1. Null: that was the last one. */
export function noticeBackoffSeconds(attempts: number): number | null {
  return BACKOFF_SECONDS[attempts - 1] ?? null;
}

/** As long as the provider asks for, if that is longer. Null: give up. */
export function nextAttemptSeconds(attempts: number, retryAfterSeconds: number | null): number | null {
  const backoff = noticeBackoffSeconds(attempts);
  if (backoff === null) return null;
  return Math.max(backoff, Math.min(Math.ceil(retryAfterSeconds ?? 0), MAX_SECONDS));
}
