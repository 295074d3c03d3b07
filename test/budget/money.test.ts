// Money and percentages: parsing, formatting, and no loss in between.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  basisPointsFromNumber,
  decimalFromNanoUsd,
  dollars,
  nanoUsdFromDecimal,
  nanoUsdFromNumber,
  partOf,
  percentNumber,
  sameOnTheWire,
  shareOf,
  usdNumber,
} from "../../src/budget/money.ts";

const MAX_NANO_USD = 10n ** 24n - 1n;
const anyAmount = fc.bigInt({ min: -MAX_NANO_USD, max: MAX_NANO_USD });

describe("a decimal", () => {
  test.each([
    ["412.5", 412_500_000_000n],
    ["0", 0n],
    ["-0", 0n],
    ["7.", 7_000_000_000n],
    ["+3", 3_000_000_000n],
    ["-3", -3_000_000_000n],
    ["1e-7", 100n],
    ["1E+3", 1_000_000_000_000n],
    ["1.25e-8", 13n],
    ["0.000000001", 1n],
    ["0.0000000005", 1n],
    ["-0.0000000005", -1n],
    ["0.00000000049999", 0n],
    ["1e-999", 0n],
    ["999999999999999.999999999", MAX_NANO_USD],
    ["-999999999999999.999999999", -MAX_NANO_USD],
  ])("%s parses exactly, or rounds half away from zero at the ninth place", (text, amount) => {
    expect(nanoUsdFromDecimal(text)).toBe(amount);
  });

  test.each(["", " 1", "1 ", "1\n", ".5", "1,5", "0x10", "1_000", "--1", "1e", "1e1000", "NaN", "Infinity", "$1", "١"])(
    "%j is refused",
    (text) => {
      expect(nanoUsdFromDecimal(text)).toBeNull();
    },
  );

  test.each(["1000000000000000", "999999999999999.9999999995", "-1e15", "1e999"])(
    "%s is refused, because Postgres could not keep it",
    (text) => {
      expect(nanoUsdFromDecimal(text)).toBeNull();
    },
  );

  it("survives being written and parsed again, whatever the amount", () => {
    fc.assert(
      fc.property(anyAmount, (amount) => {
        expect(nanoUsdFromDecimal(decimalFromNanoUsd(amount))).toBe(amount);
      }),
    );
  });

  it("writes digits without trailing zeros and never with an exponent", () => {
    expect(decimalFromNanoUsd(412_500_000_000n)).toBe("412.5");
    expect(decimalFromNanoUsd(-1n)).toBe("-0.000000001");
    expect(decimalFromNanoUsd(0n)).toBe("0");
    fc.assert(
      fc.property(anyAmount, (amount) => {
        expect(decimalFromNanoUsd(amount)).toMatch(/^-?(0|[1-9]\d*)(\.\d{0,8}[1-9])?$/);
      }),
    );
  });
});

describe("a JSON number", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e15, "1", null, undefined, true, {}, 1n])(
    "%s is no amount",
    (value) => {
      expect(nanoUsdFromNumber(value)).toBeNull();
    },
  );

  test.each([
    [0.1 + 0.2, 300_000_000n],
    [1.2000000000000002, 1_200_000_000n],
    [549.9999999999999, 550_000_000_000n],
    [5e-324, 0n],
    [-0, 0n],
    [1e-9, 1n],
  ])("%d is the decimal it stands for", (value, amount) => {
    expect(nanoUsdFromNumber(value)).toBe(amount);
  });

  it("keeps the floating-point sum of many amounts exact", () => {
    const micros = fc.array(fc.integer({ min: 0, max: 5_000_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(micros, (parts) => {
        const float = parts.reduce((sum, part) => sum + part / 1e6, 0);
        const exact = parts.reduce((sum, part) => sum + BigInt(part) * 1_000n, 0n);
        expect(nanoUsdFromNumber(float)).toBe(exact);
      }),
    );
  });

  it("survives a round trip for every amount up to a million dollars", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), (amount) => {
        expect(nanoUsdFromNumber(usdNumber(amount))).toBe(amount);
      }),
    );
  });

  it("never orders two amounts the other way round", () => {
    fc.assert(
      fc.property(anyAmount, anyAmount, (a, b) => {
        fc.pre(a <= b);
        expect(usdNumber(a)).toBeLessThanOrEqual(usdNumber(b));
      }),
    );
  });

  it("equals another amount exactly when LiteLLM's doubles cannot tell them apart", () => {
    const billion = 10n ** 18n;
    expect(sameOnTheWire(billion, billion + 1n)).toBe(true);
    expect(sameOnTheWire(billion, billion + 1_000n)).toBe(false);
    expect(sameOnTheWire(1n, 2n)).toBe(false);
  });
});

describe("dollars in notices", () => {
  test.each([
    [552_000_000_000n, "$552.00"],
    [0n, "$0.00"],
    [1n, "$0.000000001"],
    [9_999_999n, "$0.009999999"],
    [10_000_000n, "$0.01"],
    [14_999_999n, "$0.01"],
    [15_000_000n, "$0.02"],
    [1_234_567_890_000_000n, "$1234567.89"],
  ])("%d nano-dollars read %s", (amount, text) => {
    expect(dollars(amount)).toBe(text);
  });
});

describe("a percentage", () => {
  test.each([
    [80, 8_000n],
    [82.5, 8_250n],
    [110.01, 11_001n],
    [0, 0n],
    [-1, -100n],
  ])("%d is read in hundredths", (percent, points) => {
    expect(basisPointsFromNumber(percent)).toBe(points);
  });

  test.each([80.005, 80.001, Number.NaN, "80", null, 1e300])("%s is refused", (percent) => {
    expect(basisPointsFromNumber(percent)).toBeNull();
  });

  it("survives being written and read again, for each of 0.00 to 200.00", () => {
    for (let points = 0n; points <= 20_000n; points += 1n) {
      expect(basisPointsFromNumber(percentNumber(points))).toBe(points);
    }
  });

  it("takes the smallest sum of nano-dollars that reaches the share of an amount", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 15_000n }), (whole, share) => {
        const part = partOf(whole, share);
        expect(part * 10_000n >= whole * share).toBe(true);
        expect((part - 1n) * 10_000n < whole * share).toBe(true);
      }),
    );
  });

  it("rounds used down, by less than a hundredth", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 1n, max: 10n ** 18n }), (amount, whole) => {
        const share = shareOf(amount, whole) ?? -1n;
        expect(share * whole <= amount * 10_000n).toBe(true);
        expect((share + 1n) * whole > amount * 10_000n).toBe(true);
      }),
    );
  });

  it("gives null for a share of zero", () => {
    expect(shareOf(5n, 0n)).toBeNull();
  });
});
