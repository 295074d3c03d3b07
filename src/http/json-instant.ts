// An instant or null, as JSON.

import { iso } from "../budget/instant.ts";
import type { Instant } from "../budget/tenant.ts";

export function isoOrNull(at: Instant | null): string | null {
  return at === null ? null : iso(at);
}
