// A budget's duration as LiteLLM has to be told it, and which ones it cannot keep. Decides only; sends nothing.
// LiteLLM takes any text with a 200, so what it does with it must be known before it is sent.

import { parseDuration } from "../../budget/instant.ts";

const DAYS_PER_WEEK = 7;

/** LiteLLM's word for a duration: 1.81.9 knows no weeks, and would reset `2w` every midnight. */
export function litellmDuration(duration: string | null): string | null {
  const parsed = duration === null ? null : parseDuration(duration);
  return parsed?.unit === "w" ? `${parsed.count * DAYS_PER_WEEK}d` : duration;
}

/** False for text that is no duration, and for several months: LiteLLM refuses to calculate with those. */
export function isKeptByLiteLlm(duration: string | null): boolean {
  if (duration === null) return true;
  const parsed = parseDuration(duration);
  return parsed !== null && (parsed.unit !== "mo" || parsed.count === 1);
}
