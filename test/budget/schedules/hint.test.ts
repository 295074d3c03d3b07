// When LiteLLM is read because of a hint.

import { describe, expect, it } from "vitest";
import {
  groupHints,
  type Hint,
  hintReadAfterFailure,
  isShown,
  isUnreadable,
  nextHintRead,
} from "../../../src/budget/schedules/hint.ts";
import { NOW, SECOND, usd } from "../builders.ts";

const aHint = (differences: Partial<Hint> = {}): Hint => ({
  at: NOW,
  announcedNanoUsd: usd("420"),
  signedAt: null,
  ...differences,
});

/** The newest read, so many seconds after the hint. */
const seenAfter = (seconds: number, spend: string) => ({ readAt: NOW + seconds * SECOND, spendNanoUsd: usd(spend) });

describe("a hint", () => {
  it.each([
    ["is read at once without any read", null, 0],
    ["is read at once after a read of before it", seenAfter(-60, "390"), 0],
    ["waits five seconds for its first read after a read of just before it", seenAfter(-2, "390"), 3],
    ["is read again when LiteLLM's database can show it", seenAfter(0, "420"), 25],
    ["is read again late enough even when an early read shows its spend", seenAfter(24, "500"), 29],
    ["is read a last time when no read has shown its spend", seenAfter(25, "419.99"), 60],
    ["is satisfied by a late read that shows its spend", seenAfter(25, "420"), null],
    ["is satisfied by a late read that surpasses its spend", seenAfter(25, "600"), null],
    ["is dropped after the last read, whatever it shows", seenAfter(60, "0"), null],
  ])("%s", (_, seen, seconds) => {
    expect(nextHintRead(aHint(), seen)).toBe(seconds === null ? null : NOW + seconds * SECOND);
  });

  it("without an amount needs one read that is late enough", () => {
    const hint = aHint({ announcedNanoUsd: null });
    expect(nextHintRead(hint, seenAfter(24, "0"))).toBe(NOW + 29 * SECOND);
    expect(nextHintRead(hint, seenAfter(25, "0"))).toBeNull();
    expect([isShown(hint, { spendNanoUsd: 0n }), isShown(aHint(), { spendNanoUsd: 0n })]).toEqual([true, false]);
  });

  it("causes a read every minute while LiteLLM does not answer", () => {
    const after = (seconds: number) => (hintReadAfterFailure(aHint(), NOW + seconds * SECOND) - NOW) / SECOND;
    expect([0, 25, 59, 60, 500].map(after)).toEqual([25, 60, 60, 120, 560]);
  });

  it("counts as unreadable after a minute", () => {
    expect([59, 60].map((seconds) => isUnreadable(aHint(), NOW + seconds * SECOND))).toEqual([false, true]);
  });
});

describe("hints of the same five seconds", () => {
  it("become one, with the latest instant and the highest amount", () => {
    const hints = [
      aHint({ at: NOW + SECOND, announcedNanoUsd: usd("9") }),
      aHint({ at: NOW + 2 * SECOND, announcedNanoUsd: usd("7") }),
      aHint({ at: NOW + 3 * SECOND, announcedNanoUsd: null }),
      aHint({ at: NOW + 6 * SECOND, announcedNanoUsd: null }),
    ];
    expect(groupHints(hints, NOW + 9 * SECOND)).toEqual([
      aHint({ at: NOW + 3 * SECOND, announcedNanoUsd: usd("9") }),
      aHint({ at: NOW + 6 * SECOND, announcedNanoUsd: null }),
    ]);
    expect(groupHints(hints.slice(0, 3).reverse(), NOW + 9 * SECOND)).toHaveLength(1);
  });

  it("are never later than now, whatever a clock says", () => {
    expect(groupHints([aHint({ at: NOW + 60 * SECOND })], NOW)).toEqual([aHint()]);
  });
});
