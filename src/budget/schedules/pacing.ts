// How fast notices are sent. Reads no clock.

/** A batch starts no send after this time, so that a slow one does not keep its messages from other consumers. */
export const BATCH_MS = 12_000;

/** Another consumer takes what a batch requeues, or the same one after its slow sends. */
export const REQUEUE_SECONDS = 2;

/**
 * The time between two notices of a channel. Slack takes one message a second, PagerDuty two. Teams (four) and Discord
 * (2.5) take more; half a second stays below both.
 */
export const PACE_MS: Readonly<Record<string, number>> = { slack: 1_000, teams: 500, discord: 500, pagerduty: 500 };

/** A channel that does not answer is left alone after this many attempts, for this long. */
export const BREAKER = { failures: 3, openMs: 30_000 } as const;
