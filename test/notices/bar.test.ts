// The bar: what is full, hatched and empty, and its marks at the limit and at the block threshold.

import { describe, expect, it } from "vitest";
import { aNotice } from "../../dev/notices/samples.ts";
import { barOf, barText } from "../../src/notices/bar.ts";
import { snapshotOf } from "../../src/notices/budget-snapshot.ts";

function bar(spend: string, graceThreshold = 11_000n, limit = "500"): string | null {
  const parts = barOf(snapshotOf(aNotice("budget_crossed", { spend, limit, graceThreshold })));
  return parts === null ? null : barText(parts);
}

describe("the bar", () => {
  it.each([
    ["0", "░░░░░░░░░░░░░░░░░░│░░┃"],
    ["412.5", "███████████████░░░│░░┃"],
    ["499.99", "██████████████████│░░┃"],
    ["500", "██████████████████│░░┃"],
    ["500.05", "██████████████████│▒░┃"],
    ["549.99", "██████████████████│▒░┃"],
    ["550", "██████████████████│▒▒┃"],
    ["850", "███████████│▒┃▒▒▒▒▒▒▒▒"],
    ["50000", "█████│▒┃▒▒▒▒▒▒▒▒▒▒▒▒▒▒"],
  ])("draws a spend of %s as %s, so that a spend of 850 does not look like one of 550", (spend, expected) => {
    expect(bar(spend)).toBe(expected);
  });

  it("has one mark where the limit is the block threshold", () => {
    expect(bar("412.5", 10_000n)).toBe("████████████████░░░░┃");
  });

  it("marks the limit alone when it is not known where the tenant was blocked", () => {
    const parts = barOf(snapshotOf(aNotice("budget_resolved", { spend: "552" })));
    expect(parts?.map(({ kind }) => kind)).toEqual(["full", "limit", "over"]);
  });

  it("draws nothing for a limit of zero, of which no spend is a share", () => {
    expect(bar("3.2", 11_000n, "0")).toBeNull();
  });
});
