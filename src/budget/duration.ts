// Durations as LiteLLM writes them: `30d`, `1mo`. Owns what is accepted; where one ends is LiteLLM's to say.

export type DurationUnit = "s" | "m" | "h" | "d" | "w" | "mo";

export interface Duration {
  readonly count: number;
  readonly unit: DurationUnit;
}

const PATTERN = /^([1-9]\d{0,9})(s|m|h|d|w|mo)$/;

const MS_PER_UNIT = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** A hundred years: longer ones overflow the dates of LiteLLM and of Postgres' clients. */
const MAX_MONTHS = 1_200;
const MAX_MS = 36_525 * MS_PER_UNIT.d;

/** Reads `<n>` + `s|m|h|d|w|mo`, n >= 1. Null for anything else (LiteLLM itself would accept "banana"). */
export function parseDuration(text: string): Duration | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const duration = { count: Number(match[1]), unit: match[2] as DurationUnit };
  return isTooLong(duration) ? null : duration;
}

function isTooLong({ count, unit }: Duration): boolean {
  return unit === "mo" ? count > MAX_MONTHS : count * MS_PER_UNIT[unit] > MAX_MS;
}
