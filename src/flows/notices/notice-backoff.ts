// The retry schedule of a notice: how long it waits after a failed attempt, and when Bursar gives it up. Pure.

/** Five retries in an hour and a half: from a provider's short failure to an outage of a morning. */
const BACKOFF_SECONDS = [10, 60, 300, 1_800, 3_600] as const;

/** A notice that arrives later is no longer news. The queue accepts a delay of up to 12 hours. */
const MAX_SECONDS = 12 * 3_600;

/** `attempts` is the number of failed attempts, from 1. Null when there is no further attempt. */
export function noticeBackoffSeconds(attempts: number): number | null {
  return BACKOFF_SECONDS[attempts - 1] ?? null;
}

/** The backoff, or the provider's `Retry-After` if that is longer. Null when the notice is given up. */
export function nextAttemptSeconds(attempts: number, retryAfterSeconds: number | null): number | null {
  const backoff = noticeBackoffSeconds(attempts);
  if (backoff === null) return null;
  return Math.max(backoff, Math.min(Math.ceil(retryAfterSeconds ?? 0), MAX_SECONDS));
}
