// When a digest is due. Reads no clock.

import type { Instant } from "../instant.ts";

export const DIGEST_MS = 3_600_000;

/** The end of the hour. */
export function digestAt(now: Instant): Instant {
  return (Math.floor(now / DIGEST_MS) + 1) * DIGEST_MS;
}
