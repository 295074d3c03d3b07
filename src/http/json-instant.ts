// An instant or null, as JSON.

import type { Instant } from "../budget/instant.ts";
import { iso } from "../budget/instant.ts";

export function isoOrNull(at: Instant | null): string | null {
  return at === null ? null : iso(at);
}
