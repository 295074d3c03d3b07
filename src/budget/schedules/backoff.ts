// Every retry schedule: how long to wait after a failed try. Reads no clock. SQL and libraries take their pauses from
// here too.

const FIRST_QUEUE_SECONDS = 5;

/** Ten tries then span about 40 minutes: longer than any restart, and well within the hourly reconcile. */
const MAX_QUEUE_SECONDS = 600;

/** `attempts` counts from 1, as in Cloudflare Queues. */
export function queueBackoffSeconds(attempts: number): number {
  return Math.min(FIRST_QUEUE_SECONDS * 2 ** Math.max(0, attempts - 1), MAX_QUEUE_SECONDS);
}

/** Five retries in an hour and a half: from a provider's short failure to an outage of a morning. */
const NOTICE_SECONDS = [10, 60, 300, 1_800, 3_600] as const;

/** A notice that arrives later is no longer news. The queue accepts a delay of up to 12 hours. */
const MAX_NOTICE_SECONDS = 12 * 3_600;

/** `attempts` is the number of failed attempts, from 1. Null when there is no further attempt. */
export function noticeBackoffSeconds(attempts: number): number | null {
  return NOTICE_SECONDS[attempts - 1] ?? null;
}

/** The backoff, or the provider's `Retry-After` if that is longer. Null when the notice is given up. */
export function nextNoticeSeconds(attempts: number, retryAfterSeconds: number | null): number | null {
  const backoff = noticeBackoffSeconds(attempts);
  if (backoff === null) return null;
  return Math.max(backoff, Math.min(Math.ceil(retryAfterSeconds ?? 0), MAX_NOTICE_SECONDS));
}

/** A read from the queue that LiteLLM did not answer is repeated after this pause until LiteLLM answers. */
export const LITELLM_AWAY_SECONDS = 60;

/**
 * The pause after each failed sync of a tenant; the last one repeats. While LiteLLM is unreachable the tries stay at 1,
 * so every minute.
 */
export const SYNC_PAUSES_SECONDS = [60, 120, 240, 480, 960, 1_920, 3_600] as const;

/**
 * LiteLLM resets up to ten minutes late, so every sweep schedules a read for the first ten minutes. A reset that never
 * comes (the key is deleted in LiteLLM, resets are off) backs off: the pause is this part of the lateness.
 */
export const PERIOD_READ_PAUSE = { minSeconds: 30, maxSeconds: 3_600, partOfLateness: 20 } as const;

/**
 * Within a request: 200 ms, then 400 ms, each with up to 100 % jitter: about as long as a restart of LiteLLM's worker.
 */
export const FIRST_LITELLM_RETRY_MS = 200;

/**
 * The pause after each failed write of an outcome. Three tries survive a dropped connection; the queue retries after a
 * longer outage.
 */
export const WRITE_PAUSES_MS = [100, 400, 0] as const;
