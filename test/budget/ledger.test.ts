// The counting rule step by step: what a call adds, which read becomes the base, and when the spend falls.
// counting.test.ts plays it against LiteLLM's behaviour.

import { describe, expect, it, test } from "vitest";
import {
  countCalls,
  countRead,
  cutoffOf,
  fallOf,
  isCountable,
  isLargeFall,
  replaceLedger,
  settlesAt,
  unsettledAround,
} from "../../src/budget/counting.ts";
import type { SpendRead } from "../../src/budget/spend.ts";
import {
  aLedger,
  aRead,
  aSpendRecord,
  aTenantConfig,
  DAY,
  MINUTE,
  NOW,
  PERIOD_START,
  RESET,
  SECOND,
  usd,
} from "./builders.ts";

const PERIOD = { startedAt: PERIOD_START, resetsAt: RESET };

/** A call of the given dollars that ended the given seconds from now. */
const call = (dollars: string, seconds: number) => ({ endedAt: NOW + seconds * SECOND, costNanoUsd: usd(dollars) });

const read = (dollars: string, seconds: number, differences: Partial<SpendRead> = {}) =>
  aRead({ spendNanoUsd: usd(dollars), begunAt: NOW + seconds * SECOND, ...differences });

/** Applies a read that is recorded as soon as it was answered. */
const counted = (
  ledger: ReturnType<typeof aLedger> | null,
  next: SpendRead,
  { after = "0", atRead = "0", atBase = "0", now = next.answeredAt, blocksAt = "550" } = {},
) => {
  const calls = callsAround(after, atRead, atBase);
  return countRead(ledger, next, { period: PERIOD, calls, blocksAtNanoUsd: usd(blocksAt), now });
};

const callsAround = (after: string, atRead = "0", atBase = "0") => ({
  afterCutoffNanoUsd: usd(after),
  atReadNanoUsd: usd(atRead),
  atBaseNanoUsd: usd(atBase),
});

describe("a call", () => {
  it("adds its cost when it ended more than 3 s after the base was answered", () => {
    const ledger = countCalls(aLedger(), [call("1", 3.001), call("2", 60), call("40", 3)], NOW + MINUTE);
    expect(ledger).toMatchObject({ spendNanoUsd: usd("103"), sinceNanoUsd: usd("3"), countedAt: NOW + MINUTE });
    expect(ledger).toMatchObject({
      source: "events",
      observedAt: NOW + MINUTE,
      spendRateNanoUsdPerSecond: usd("0.05"),
    });
  });

  it("changes neither source nor time of the spend when the base contains it", () => {
    const ledger = aLedger({ spendRateNanoUsdPerSecond: usd("8") });
    expect(countCalls(ledger, [call("5", 0)], NOW + MINUTE)).toEqual({ ...ledger, countedAt: NOW + MINUTE });
    expect(countCalls(ledger, [], NOW)).toBe(ledger);
  });

  it("waits for a read when it ended past the end of the period, because it may belong to the next", () => {
    const ledger = aLedger({ resetsAt: NOW + MINUTE });
    expect(countCalls(ledger, [call("1", 59.999), call("2", 60)], NOW).spendNanoUsd).toBe(usd("101"));
  });

  it("adds nothing to the highest spend of the epoch until base and calls exceed it", () => {
    const ledger = aLedger({ spendNanoUsd: usd("110"), baseNanoUsd: usd("100") });
    expect(countCalls(ledger, [call("9", 10)], NOW).spendNanoUsd).toBe(usd("110"));
    expect(countCalls(ledger, [call("11", 10)], NOW).spendNanoUsd).toBe(usd("111"));
  });

  test.each([
    ["an hour ago", -3_600, true],
    ["earlier", -3_600.001, false],
    ["in a minute, by a clock ahead", 60, true],
    ["later still", 60.001, false],
  ])("counts or not by its end: %s (%s s, %s)", (_when, seconds, isCounted) => {
    expect(isCountable(call("1", seconds), NOW)).toBe(isCounted);
  });
});

describe("the first read of a row without a base", () => {
  it("goes on from the epoch of the row's spend", () => {
    const before = aSpendRecord({ epoch: 4 });
    const options = { period: PERIOD, calls: callsAround("0"), blocksAtNanoUsd: usd("550"), now: NOW, before };
    expect(countRead(null, read("100", 0), options).ledger.epoch).toBe(5);
  });
});

describe("the first read", () => {
  it("begins the ledger with the calls that ended after its cutoff", () => {
    const first = read("100", 0, { answeredAt: NOW + 90 });
    expect(cutoffOf(first)).toBe(NOW + 3_090);
    expect(counted(null, first, { after: "7" }).ledger).toEqual(
      aLedger({
        spendNanoUsd: usd("107"),
        baseNanoUsd: usd("100"),
        sinceNanoUsd: usd("7"),
        baseAnsweredAt: NOW + 90,
        fenceAt: NOW,
        epoch: NOW / 1_000,
      }),
    );
  });
});

describe("a later read", () => {
  const busy = countCalls(aLedger(), [call("20", 30)], NOW + 35 * SECOND);

  it("leaves the earlier base when it shows as much, for calls between the two may still arrive", () => {
    const { ledger, proofAt } = counted(busy, read("120", 60));
    expect(ledger).toMatchObject({ spendNanoUsd: usd("120"), baseNanoUsd: usd("100"), sinceNanoUsd: usd("20") });
    expect(proofAt).toBeNull();
  });

  it("becomes the base with as much when it settles that the base contained the calls around it", () => {
    const base = (seconds: number) => counted(aLedger(), read("100", seconds), { atBase: "7" }).ledger.baseAnsweredAt;
    expect(base(27.999)).toBe(NOW);
    expect(base(28)).toBe(NOW + 28 * SECOND);
  });

  it("says which cost the base may or may not contain", () => {
    const costs = { atRead: "3", atBase: "5" };
    expect(counted(busy, read("120", 10), costs).unsettledNanoUsd).toBe(usd("5"));
    expect(counted(busy, read("121", 10), costs).unsettledNanoUsd).toBe(usd("3"));
    expect(counted(null, read("121", 10), costs).unsettledNanoUsd).toBe(usd("3"));
  });

  it("raises the spend when it shows more, as confirmed spend", () => {
    const { ledger } = counted(busy, read("150", 60));
    expect(ledger).toMatchObject({ spendNanoUsd: usd("150"), source: "litellm", observedAt: NOW + MINUTE, epoch: 1 });
  });

  it("becomes the base with less when the base is older than two minutes, and lowers nothing", () => {
    const baseAfter = (seconds: number) => {
      const { ledger } = counted(busy, read("110", seconds), { atRead: "10" });
      expect(ledger.spendNanoUsd).toBe(usd("120"));
      return ledger.baseNanoUsd;
    };
    expect([baseAfter(120), baseAfter(120.001)]).toEqual([usd("100"), usd("110")]);
  });

  it("becomes the base at once when it shows less even without the calls near it: one was counted too many", () => {
    const baseAfter = (atRead: string) => counted(busy, read("110", 5), { atRead }).ledger.baseNanoUsd;
    expect([baseAfter("10"), baseAfter("9.99")]).toEqual([usd("100"), usd("110")]);
  });

  it("counts in any order of arrival, and only the newest gives the end of the period", () => {
    const newest = counted(aLedger(), read("105", 60, { resetsAt: RESET + DAY })).ledger;
    const { ledger } = counted(newest, read("101", 30));
    expect(ledger).toMatchObject({ spendNanoUsd: usd("105"), readAt: NOW + MINUTE, resetsAt: RESET + DAY });
  });

  it("changes nothing when it was asked before the read that replaced the ledger", () => {
    const ledger = aLedger({ fenceAt: NOW });
    expect(counted(ledger, read("900", -1), { atBase: "2", now: NOW })).toEqual({
      ledger,
      proofAt: null,
      unsettledNanoUsd: usd("2"),
    });
  });
});

describe("spend that fell in LiteLLM", () => {
  const doubted = counted(aLedger(), read("40", 10));

  it("raises a doubt first, and is read again after 41 s", () => {
    expect(doubted.ledger).toMatchObject({ spendNanoUsd: usd("100"), epoch: 1 });
    expect(doubted.ledger.doubt).toEqual({ spendNanoUsd: usd("100"), valueNanoUsd: usd("40"), at: NOW + 10 * SECOND });
    expect(doubted.proofAt).toBe(NOW + 51 * SECOND);
  });

  it("falls by a second read that was asked 40 s after the doubt, in a new epoch", () => {
    expect(counted(doubted.ledger, read("41", 49.999)).ledger).toMatchObject({ spendNanoUsd: usd("100"), epoch: 1 });
    const { ledger, proofAt } = counted(doubted.ledger, read("41", 50), { after: "2" });
    expect(ledger).toMatchObject({ spendNanoUsd: usd("43"), epoch: 2, doubt: null, fenceAt: NOW + 50 * SECOND });
    expect(proofAt).toBeNull();
  });

  it("keeps its doubt until then, and says again when the deciding read is due", () => {
    expect(counted(doubted.ledger, read("40", 30)).proofAt).toBe(NOW + 51 * SECOND);
  });

  it("ends its doubt when a read shows the spend after all", () => {
    expect(counted(doubted.ledger, read("100", 20)).ledger.doubt).toBeNull();
  });

  it("does not fall while calls are counted and LiteLLM's database stands still", () => {
    const before = countCalls(aLedger(), [call("20", 5)], NOW + 6 * SECOND);
    const { ledger: waiting } = counted(before, read("100", 10), { atRead: "20" });
    const counting = countCalls(waiting, [call("1", 30)], NOW + 31 * SECOND);
    const { ledger } = counted(counting, read("100", 60), { atRead: "1" });
    expect(ledger).toMatchObject({ spendNanoUsd: usd("121"), epoch: 1 });
    expect(ledger.doubt).toEqual({ spendNanoUsd: usd("121"), valueNanoUsd: usd("100"), at: NOW + MINUTE });
  });
});

describe("a block that a fall would lift", () => {
  const blockedAt560 = aLedger({ spendNanoUsd: usd("560") });
  const doubted = counted(blockedAt560, read("40", 10));

  it("stays until two reads a minute apart have shown less than the block threshold", () => {
    expect(doubted.ledger.spendNanoUsd).toBe(usd("560"));
    expect(doubted.proofAt).toBe(NOW + 71 * SECOND);
    const early = counted(doubted.ledger, read("40", 69.999));
    expect([early.ledger.spendNanoUsd, early.proofAt]).toEqual([usd("560"), NOW + 71 * SECOND]);
    expect(counted(doubted.ledger, read("40", 70)).ledger).toMatchObject({ spendNanoUsd: usd("40"), epoch: 2 });
  });

  it("stays when only the second of the two shows less than the block threshold", () => {
    const first = counted(blockedAt560, read("555", 10));
    expect(first.proofAt).toBe(NOW + 51 * SECOND);
    const { ledger, proofAt } = counted(first.ledger, read("40", 80));
    expect([ledger.spendNanoUsd, proofAt]).toEqual([usd("560"), NOW + 141 * SECOND]);
    expect(counted(ledger, read("40", 140)).ledger.spendNanoUsd).toBe(usd("40"));
  });

  it("stays blocked by the calls since the read, and falls at once to an amount that blocks", () => {
    const { ledger } = counted(doubted.ledger, read("540", 50), { after: "15" });
    expect(ledger).toMatchObject({ spendNanoUsd: usd("555"), epoch: 2 });
  });

  it("ends by a read of the next period at once", () => {
    const shown = aRead({ spendNanoUsd: 0n, begunAt: RESET + SECOND, resetsAt: RESET + 31 * DAY });
    expect(counted(blockedAt560, shown).ledger.spendNanoUsd).toBe(0n);
  });
});

describe("what fell", () => {
  const before = aSpendRecord({ spendNanoUsd: usd("100") });

  it("compares the spend of one period", () => {
    const lower = { ...before, spendNanoUsd: usd("75") };
    expect(fallOf(before, lower)).toEqual({ fromNanoUsd: usd("100"), toNanoUsd: usd("75") });
    expect(fallOf(before, before)).toBeNull();
    expect(fallOf(before, { ...lower, periodStartedAt: RESET })).toBeNull();
    expect(fallOf(null, lower)).toBeNull();
  });

  it("counts as large over 5 % of the limit", () => {
    const fall = (to: string) => ({ fromNanoUsd: usd("100"), toNanoUsd: usd(to) });
    expect([isLargeFall(fall("75"), aTenantConfig(), NOW), isLargeFall(fall("74.99"), aTenantConfig(), NOW)]).toEqual([
      false,
      true,
    ]);
  });
});

describe("a read of a new period", () => {
  const next = RESET + 31 * DAY;

  it("replaces the ledger, however much lower, and keeps the calls after its cutoff", () => {
    const shown = aRead({ spendNanoUsd: usd("0.5"), begunAt: RESET + SECOND, resetsAt: next });
    const { ledger } = counted(aLedger({ spendNanoUsd: usd("550"), epoch: 4 }), shown, { after: "0.25" });
    expect(ledger).toMatchObject({ spendNanoUsd: usd("0.75"), periodStartedAt: RESET, resetsAt: next, epoch: 5 });
  });

  it("keeps earlier periods out, whenever they arrive", () => {
    const ledger = replaceLedger(aLedger(), read("0", 60), NOW + MINUTE, 0n);
    const period = { startedAt: NOW + MINUTE, resetsAt: RESET };
    const options = { period, calls: callsAround("0"), blocksAtNanoUsd: usd("550"), now: NOW + MINUTE };
    expect(countRead(ledger, read("100", 30), options).ledger).toBe(ledger);
  });
});

describe("calls that the base may or may not contain", () => {
  const ledger = { spendNanoUsd: usd("390"), baseAnsweredAt: NOW };
  const config = aTenantConfig();

  it("are settled by reads 28 s apart, when they might change the state", () => {
    expect(settlesAt(config, ledger, usd("10"), NOW + SECOND)).toBe(NOW + 28 * SECOND);
    expect(settlesAt(config, ledger, usd("10"), NOW + MINUTE)).toBe(NOW + 88 * SECOND);
  });

  it("need no read when the state stays the same with them", () => {
    expect(settlesAt(config, ledger, usd("9.99"), NOW)).toBeNull();
    expect(settlesAt(config, ledger, 0n, NOW)).toBeNull();
  });

  it("ended from 25 s before the base to 3 s after it", () => {
    expect(unsettledAround({ answeredAt: NOW })).toEqual({ from: NOW - 25 * SECOND, to: NOW + 3 * SECOND });
  });
});
