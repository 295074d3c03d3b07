// Converts a budget's duration for LiteLLM, and rejects durations that LiteLLM cannot keep. Decides only; sends
// nothing. LiteLLM answers 200 to any text, so Bursar must know beforehand what LiteLLM does with it.

import { parseDuration } from "../../budget/instant.ts";

const DAYS_PER_WEEK = 7;

/**
 * The duration as LiteLLM accepts it: `2w` becomes `14d`. LiteLLM 1.81.9 has no weeks and resets `2w` every midnight.
 */
export function litellmDuration(duration: string | null): string | null {
  const parsed = duration === null ? null : parseDuration(duration);
  return parsed?.unit === "w" ? `${parsed.count * DAYS_PER_WEEK}d` : duration;
}

/** False for text that is no duration, and for several months, which LiteLLM cannot calculate. */
export function isKeptByLiteLlm(duration: string | null): boolean {
  if (duration === null) return true;
  const parsed = parseDuration(duration);
  return parsed !== null && (parsed.unit !== "mo" || parsed.count === 1);
}
