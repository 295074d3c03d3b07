// Instants and durations: how an instant is written, and which durations are accepted (`30d`, `1mo`). Reads no clock.
// LiteLLM decides where a budget period ends; Bursar decides where an override ends.

/** Milliseconds since the epoch. */
export type Instant = number;

/** ISO 8601 in UTC, as the API, the notices and Postgres have it: 0 is `1970-01-01T00:00:00.000Z`. Null stays null. */
export function iso(instant: Instant): string;
export function iso(instant: Instant | null): string | null;
export function iso(instant: Instant | null): string | null {
  return instant === null ? null : new Date(instant).toISOString();
}

export type DurationUnit = "s" | "m" | "h" | "d" | "w" | "mo";

export interface Duration {
  readonly count: number;
  readonly unit: DurationUnit;
}

const PATTERN = /^([1-9]\d{0,9})(s|m|h|d|w|mo)$/;

const MS_PER_UNIT = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** A hundred years: longer durations overflow the dates of LiteLLM and of Postgres clients. */
const MAX_MONTHS = 1_200;
const MAX_MS = 36_525 * MS_PER_UNIT.d;

/**
 * Parses `<n>` + `s|m|h|d|w|mo`, n >= 1: `30d`. Null for any other text. LiteLLM 1.81.9 answers 200 even to "banana".
 */
export function parseDuration(text: string): Duration | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const duration = { count: Number(match[1]), unit: match[2] as DurationUnit };
  return isTooLong(duration) ? null : duration;
}

function isTooLong({ count, unit }: Duration): boolean {
  return unit === "mo" ? count > MAX_MONTHS : count * MS_PER_UNIT[unit] > MAX_MS;
}

/**
 * The instant one duration after `from`. Months are calendar months in UTC. A day that the later month lacks becomes
 * the month's last day: one month after 31 January is 28 February.
 */
export function instantAfter(from: Instant, { count, unit }: Duration): Instant {
  if (unit !== "mo") return from + count * MS_PER_UNIT[unit];
  const date = new Date(from);
  const day = date.getUTCDate();
  date.setUTCMonth(date.getUTCMonth() + count, 1);
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  return date.setUTCDate(Math.min(day, lastDay));
}

/** The earlier of two instants; null when there is neither. */
export function earliest(a: Instant | null, b: Instant | null): Instant | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
