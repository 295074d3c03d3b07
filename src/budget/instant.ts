// Instants as ISO 8601 UTC, for JSON, SQL and texts.

import type { Instant } from "./tenant.ts";

/** `2026-11-01T00:00:00.000Z`. */
export function iso(at: Instant): string {
  return new Date(at).toISOString();
}
