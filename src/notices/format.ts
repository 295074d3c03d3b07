// Percentages and instants for readers: UTC, no abbreviations, never rounded up.

import type { Instant } from "../budget/instant.ts";
import type { BasisPoints } from "../budget/money.ts";

const MONTHS = "January February March April May June July August September October November December".split(" ");

/** 8_250n is `82.5 %`. Basis points are already rounded down, so 109.999 % never shows as 110 %. */
export function percent(share: BasisPoints): string {
  const fraction = (share % 100n).toString().padStart(2, "0").replace(/0+$/, "");
  return fraction === "" ? `${share / 100n} %` : `${share / 100n}.${fraction} %`;
}

/** `1 December 2026`, UTC. */
export function dayText(instant: Instant): string {
  const date = new Date(instant);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

/** `1 December 2026, 00:00 UTC`. */
export function instantText(instant: Instant): string {
  return `${dayText(instant)}, ${new Date(instant).toISOString().slice(11, 16)} UTC`;
}
