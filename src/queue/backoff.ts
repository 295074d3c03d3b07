// The delay before a failed message is delivered again. Pure.

const FIRST_SECONDS = 5;

/** Ten tries then span about 40 minutes: longer than any restart, and well within the hourly reconcile. */
const MAX_SECONDS = 600;

/** `attempts` counts from 1, as in Cloudflare Queues. */
export function backoffSeconds(attempts: number): number {
  return Math.min(FIRST_SECONDS * 2 ** Math.max(0, attempts - 1), MAX_SECONDS);
}
