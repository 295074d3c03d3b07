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

/** What `numeric(24,9)` holds. No real spend comes near it; anything above is a broken figure. */
const MAX_NANO_USD = 10n ** 24n - 1n;

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * Reads a decimal such as `412.5`, `1e-7` or `-3`, rounded half away from zero to the ninth decimal.
 * Null when it is not a decimal, or larger than Postgres can keep.
 */
export function nanoUsdFromDecimal(text: string): NanoUsd | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  // value = digits × 10^-scale
  const digits = BigInt(whole + fraction);
  const shift = DECIMALS - fraction.length + Number(exponent);
  const nano = shift >= 0 ? digits * 10n ** BigInt(shift) : divideRounding(digits, 10n ** BigInt(-shift));
  if (nano > MAX_NANO_USD) return null;
  return sign === "-" ? -nano : nano;
}

/** Reads a JSON number (US dollars). The shortest decimal that means this double is taken, so 0.1 + 0.2 is 0.30. */
export function nanoUsdFromNumber(usd: unknown): NanoUsd | null {
  if (typeof usd !== "number" || !Number.isFinite(usd)) return null;
  return nanoUsdFromDecimal(String(usd));
}

/** The decimal string kept in KV and sent to Postgres, without needless zeros: `412.5`. */
export function decimalFromNanoUsd(amount: NanoUsd): string {
  const absolute = amount < 0n ? -amount : amount;
  const fraction = (absolute % NANO_PER_USD).toString().padStart(DECIMALS, "0").replace(/0+$/, "");
  const text = fraction === "" ? `${absolute / NANO_PER_USD}` : `${absolute / NANO_PER_USD}.${fraction}`;
  return amount < 0n ? `-${text}` : text;
}

/** The JSON number of the wire, in US dollars. */
export function usdNumber(amount: NanoUsd): number {
  return Number(decimalFromNanoUsd(amount));
}

/** True when two amounts are the same JSON number: LiteLLM keeps doubles, so nothing finer can be compared with it. */
export function sameOnTheWire(a: NanoUsd, b: NanoUsd): boolean {
  return usdNumber(a) === usdNumber(b);
}

/** For people: `$552.00`. Amounts below a cent keep their digits, so that nothing positive reads `$0.00`. */
export function dollars(amount: NanoUsd): string {
  if (amount > 0n && amount < NANO_PER_CENT) return `$${decimalFromNanoUsd(amount)}`;
  const cents = divideRounding(amount, NANO_PER_CENT);
  return `$${cents / 100n}.${(cents % 100n).toString().padStart(2, "0")}`;
}

/** Reads a percentage of at most two decimals; null for anything else. */
export function basisPointsFromNumber(percent: unknown): BasisPoints | null {
  const scaled = nanoUsdFromNumber(percent);
  if (scaled === null || scaled % NANO_PER_CENT !== 0n) return null;
  return scaled / NANO_PER_CENT;
}

/** The JSON number of a percentage: 8_250n is 82.5. */
export function percentNumber(share: BasisPoints): number {
  return Number(share) / 100;
}

/** `whole × share`, rounded up, so that `spend >= partOf(limit, share)` is exactly `spend / limit >= share`. */
export function partOf(whole: NanoUsd, share: BasisPoints): NanoUsd {
  const product = whole * share;
  return product / WHOLE + (product % WHOLE > 0n ? 1n : 0n);
}

/** Percent of `whole`, rounded down, so that 109.999 % never reads 110. Null when `whole` is zero. */
export function shareOf(amount: NanoUsd, whole: NanoUsd): BasisPoints | null {
  return whole === 0n ? null : (amount * WHOLE) / whole;
}

function divideRounding(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor / 2n) / divisor;
}
