// Exact money and percentages. Owns every conversion between the wire's JSON numbers, decimal strings and bigint.
// Never compares or computes in floating point.

/** An amount in billionths of a US dollar. */
export type NanoUsd = bigint;

/** A percentage in hundredths of a percent: 80 % is 8_000n. */
export type BasisPoints = bigint;

const DECIMALS = 9;
const NANO_PER_USD = 10n ** BigInt(DECIMALS);
const NANO_PER_CENT = NANO_PER_USD / 100n;

/** 100 % in basis points. */
export const WHOLE: BasisPoints = 10_000n;

/** The largest amount of `numeric(24,9)`. No real spend comes near it, so a larger amount is an error. */
const MAX_NANO_USD = 10n ** 24n - 1n;

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * Parses a decimal of US dollars such as `412.5`, `1e-7` or `-3`, rounded half away from zero to the ninth decimal:
 * `412.5` becomes `412_500_000_000n`. Null when the text is no decimal, or larger than Postgres can store.
 */
export function nanoUsdFromDecimal(text: string): NanoUsd | null {
  return parseDecimal(text, divideRounding);
}

/**
 * Converts a JSON number of US dollars and drops what is less than a nano-dollar, so that a sum of many costs never
 * exceeds what LiteLLM has added up. Null for no number.
 */
export function nanoUsdRoundedDown(usd: unknown): NanoUsd | null {
  if (typeof usd !== "number" || !Number.isFinite(usd)) return null;
  return parseDecimal(String(usd), (dividend, divisor) => dividend / divisor);
}

function parseDecimal(text: string, divide: (dividend: bigint, divisor: bigint) => bigint): NanoUsd | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  // value = digits × 10^-scale
  const digits = BigInt(whole + fraction);
  const shift = DECIMALS - fraction.length + Number(exponent);
  const nano = shift >= 0 ? digits * 10n ** BigInt(shift) : divide(digits, 10n ** BigInt(-shift));
  if (nano > MAX_NANO_USD) return null;
  return sign === "-" ? -nano : nano;
}

/**
 * Converts a JSON number of US dollars. Takes the shortest decimal of the double, so 0.1 + 0.2 becomes 0.30; null for
 * no number.
 */
export function nanoUsdFromNumber(usd: unknown): NanoUsd | null {
  if (typeof usd !== "number" || !Number.isFinite(usd)) return null;
  return nanoUsdFromDecimal(String(usd));
}

/** The decimal string of US dollars for KV and Postgres, without trailing zeros: `412_500_000_000n` is `"412.5"`. */
export function decimalFromNanoUsd(amount: NanoUsd): string {
  const absolute = amount < 0n ? -amount : amount;
  const fraction = (absolute % NANO_PER_USD).toString().padStart(DECIMALS, "0").replace(/0+$/, "");
  const text = fraction === "" ? `${absolute / NANO_PER_USD}` : `${absolute / NANO_PER_USD}.${fraction}`;
  return amount < 0n ? `-${text}` : text;
}

/** The JSON number of the API, in US dollars: `412_500_000_000n` is 412.5. */
export function usdNumber(amount: NanoUsd): number {
  return Number(decimalFromNanoUsd(amount));
}

/** True when two amounts are the same JSON number. LiteLLM stores doubles, so a finer comparison would never match. */
export function sameOnTheWire(a: NanoUsd, b: NanoUsd): boolean {
  return usdNumber(a) === usdNumber(b);
}

/** Text for notices: `$552.00`. Amounts below a cent keep their digits, so that no positive amount shows as `$0.00`. */
export function dollars(amount: NanoUsd): string {
  if (amount > 0n && amount < NANO_PER_CENT) return `$${decimalFromNanoUsd(amount)}`;
  const cents = divideRounding(amount, NANO_PER_CENT);
  return `$${cents / 100n}.${(cents % 100n).toString().padStart(2, "0")}`;
}

/** Converts a percentage of at most two decimals: 82.5 becomes `8_250n`. Null for anything else. */
export function basisPointsFromNumber(percent: unknown): BasisPoints | null {
  const scaled = nanoUsdFromNumber(percent);
  if (scaled === null || scaled % NANO_PER_CENT !== 0n) return null;
  return scaled / NANO_PER_CENT;
}

/** The JSON number of a percentage: `8_250n` is 82.5. */
export function percentNumber(share: BasisPoints): number {
  return Number(share) / 100;
}

/**
 * `whole × share` in nano-dollars, rounded up, so that `spend >= partOf(limit, share)` equals `spend / limit >= share`.
 */
export function partOf(whole: NanoUsd, share: BasisPoints): NanoUsd {
  const product = whole * share;
  return product / WHOLE + (product % WHOLE > 0n ? 1n : 0n);
}

/**
 * The share of `whole` in basis points, rounded down, so that 109.999 % never shows as 110 %. Null when `whole` is
 * zero.
 */
export function shareOf(amount: NanoUsd, whole: NanoUsd): BasisPoints | null {
  return whole === 0n ? null : (amount * WHOLE) / whole;
}

function divideRounding(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor / 2n) / divisor;
}
