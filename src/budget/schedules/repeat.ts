// When an alert that still stands is announced again, while LiteLLM goes on repeating its own. Reads no clock.

const HOUR_MS = 3_600_000;

/** From the second repetition on. People who have not acted by then are reminded once a day. */
const LATER_PAUSES_MS = [4 * HOUR_MS, 24 * HOUR_MS] as const;

/**
 * The least time between the notice before and the repetition, which counts from 1. Never shorter than the first pause,
 * which is a setting.
 */
export function repeatPauseMs(repetition: number, firstPauseMs: number): number {
  const [second, later] = LATER_PAUSES_MS;
  if (repetition === 1) return firstPauseMs;
  return Math.max(firstPauseMs, repetition === 2 ? second : later);
}
