// The ends of LiteLLM's budget windows, aligned to the UTC calendar and clock, with LiteLLM's quirks.
// Must never read a clock: every function takes the time as an argument.

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MONDAY = 1;

/** Durations that versions with weeks take as words. */
const NAMED: Readonly<Record<string, string>> = { hourly: "1h", daily: "24h", weekly: "7d", monthly: "30d" };

/** A duration that LiteLLM refuses. The message is LiteLLM's. */
export class UnsupportedDurationError extends Error {}

/**
 * The instant (ms) at which the window that contains `now` ends.
 * For text that is not a duration ("banana") and for unknown units, it is the next midnight.
 * `weeks`: whether this version supports the unit `w`. 1.81.9 does not, and resets such a budget every midnight.
 * @throws UnsupportedDurationError for more than one calendar month.
 */
export function windowEnd(duration: string, now: number, weeks: boolean): number {
  const midnight = Math.floor(now / DAY_MS) * DAY_MS;
  const match = /^(\d+)([a-z]+)/.exec(weeks ? (NAMED[duration] ?? duration) : duration);
  const count = Number(match?.[1] ?? 0);
  if (count === 0) return midnight + DAY_MS;
  switch (match?.[2]) {
    case "d":
      return dayWindowEnd(count, midnight);
    case "w":
      return weeks ? dayWindowEnd(count * 7, midnight) : midnight + DAY_MS;
    case "h":
    case "m":
    case "s":
      return clockWindowEnd(count, match[2], now, midnight);
    case "mo":
      if (count !== 1) throw new UnsupportedDurationError("Monthly resets currently only support 1 month intervals");
      return firstOfNextMonth(midnight);
    default:
      return midnight + DAY_MS;
  }
}

function dayWindowEnd(days: number, midnight: number): number {
  if (days === 30) return firstOfNextMonth(midnight);
  if (days !== 7) return midnight + days * DAY_MS;
  const daysToMonday = (MONDAY + 7 - new Date(midnight).getUTCDay()) % 7;
  return midnight + (daysToMonday === 0 ? 7 : daysToMonday) * DAY_MS;
}

function firstOfNextMonth(midnight: number): number {
  const date = new Date(midnight);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

/** Aligned within the next larger unit only. A window that crosses midnight ends somewhere in the next day. */
function clockWindowEnd(count: number, unit: "h" | "m" | "s", now: number, midnight: number): number {
  const date = new Date(now);
  const place = unit === "h" ? date.getUTCHours() : unit === "m" ? date.getUTCMinutes() : date.getUTCSeconds();
  const unitMs = unit === "h" ? HOUR_MS : unit === "m" ? MINUTE_MS : SECOND_MS;
  const parentStart = unit === "h" ? midnight : Math.floor(now / (unitMs * 60)) * unitMs * 60;
  const sinceMidnight = parentStart - midnight + (place - (place % count) + count) * unitMs;
  return sinceMidnight < DAY_MS ? midnight + sinceMidnight : midnight + DAY_MS + (sinceMidnight % DAY_MS);
}

/**
 * The unaligned length of a duration from `now`, in ms, for budget objects and the expiry of keys.
 * @throws UnsupportedDurationError for text that is not a duration.
 */
export function plainLength(duration: string, now: number): number {
  const match = /^(\d+)(mo|[smhdw])/.exec(duration);
  if (match === null) throw new UnsupportedDurationError("Invalid duration format");
  const count = Number(match[1]);
  const unitMs: Record<string, number> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };
  const known = unitMs[match[2] ?? ""];
  if (known !== undefined) return count * known;
  const start = new Date(now);
  const lastDayOfTarget = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + count + 1, 0)).getUTCDate();
  const target = new Date(now);
  target.setUTCMonth(start.getUTCMonth() + count, Math.min(start.getUTCDate(), lastDayOfTarget));
  return target.getTime() - now;
}
