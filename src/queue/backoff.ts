// How long a failed message waits before it is delivered again. Pure.

const FIRST_SECONDS = 5;

/** Ten tries then span about 40 minutes: longer than any restart, shorter than anybody's patience with a stale figure. */
const MAX_SECONDS = 600;

/** `attempts` counts from 1, as Queues do. */
export function backoffSeconds(attempts: number): number {
  return Math.min(FIRST_SECONDS * 2 ** Math.max(0, attempts - 1), MAX_SECONDS);
}
