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

/** Spreads the retries of notices that failed together over a quarter of their pause. Never shortens it. */
const JITTER = 0.25;

/** A provider that limits its pace without a `Retry-After`. */
const RATE_LIMITED_SECONDS = 30;

/**
 * The backoff, or the provider's `Retry-After` if that is longer, with jitter. Null when the notice is given up.
 * `random` is at least 0 and below 1.
 */
export function nextNoticeSeconds(attempts: number, retryAfterSeconds: number | null, random: number): number | null {
  const backoff = noticeBackoffSeconds(attempts);
  if (backoff === null) return null;
  return jittered(Math.max(backoff, retryAfterSeconds ?? 0), random);
}

/** How long a notice waits whose provider takes no more at this pace. */
export function rateLimitedNoticeSeconds(retryAfterSeconds: number | null, random: number): number {
  return jittered(Math.max(retryAfterSeconds ?? RATE_LIMITED_SECONDS, 1), random);
}

/** So that a receiver that never takes a notice, and asks to be tried again at once, is not asked 43,200 times. */
const PART_OF_AGE = 20;

/** The least wait of a notice of this age at a receiver that has no pace of its own: a hundred or so in all. */
export function rateLimitedFloorMs(ageMs: number): number {
  return Math.max(0, Math.ceil(ageMs / PART_OF_AGE));
}

function jittered(seconds: number, random: number): number {
  return Math.min(Math.ceil(Math.ceil(seconds) * (1 + JITTER * random)), MAX_NOTICE_SECONDS);
}

/** For so long after its alert a notice may wait for a provider's pace. After that a refusal counts as an attempt. */
export const MAX_RATE_LIMITED_MS = MAX_NOTICE_SECONDS * 1_000;

/**
 * The pause while another message is sending the same notice. A provider answers within seconds; a crashed sender's
 * claim expires in a minute.
 */
export const SENDING_SECONDS = 30;

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
