// What makes an alert news again: LiteLLM repeats it, a block ends and returns, a day has passed.

import { describe, expect, it } from "vitest";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import { acme, find, findAt, HOUR, historyAfter, NEVER_LOOKED, summaryOf } from "./alert-evaluations.ts";
import { aSpendRecord, DAY, MINUTE, NOW, RESET, usd } from "./builders.ts";

describe("LiteLLM's repetition", () => {
  const history = historyAfter(find("420"), acme, NOW - HOUR);
  const soft = { about: "alert_threshold", receivedAt: NOW } as const;

  it("N1: records a repetition within the hour as a duplicate", () => {
    const repeats = [{ ...soft, receivedAt: NOW - 1 }];
    expect(find("420", { history, repeats })).toEqual([]);
  });

  it("N1: announces a repetition after the hour as the next occurrence", () => {
    const drafts = find("420", { history, repeats: [soft] });
    expect(summaryOf(drafts)).toEqual(["threshold_crossed announced"]);
    expect(drafts[0]?.occurrence).toBe(1);
  });

  it("records duplicate repetitions as one occurrence", () => {
    expect(find("420", { history, repeats: [soft, soft, soft] })).toHaveLength(1);
  });

  it("counts from the last occurrence, not from the first", () => {
    const { alerts, lastEvaluation } = history;
    const again = {
      lastEvaluation,
      alerts: alerts.map((alert) => ({ ...alert, occurrence: 3, createdAt: NOW - MINUTE })),
    };
    expect(find("420", { history: again, repeats: [soft] })).toEqual([]);
    const old = { lastEvaluation, alerts: alerts.map((alert) => ({ ...alert, occurrence: 3 })) };
    expect(find("420", { history: old, repeats: [soft] })[0]?.occurrence).toBe(4);
  });

  it("counts from the last occurrence, in whatever order they were recorded", () => {
    const { alerts, lastEvaluation } = history;
    const alertOf = (occurrence: number) => alerts.map((alert) => ({ ...alert, occurrence }));
    const newestFirst = { lastEvaluation, alerts: [...alertOf(2), ...alertOf(0), ...alertOf(1)] };
    expect(find("420", { history: newestFirst, repeats: [soft] })[0]?.occurrence).toBe(3);
  });

  it("records no repetition of a threshold that is not exceeded", () => {
    expect(find("420", { history, repeats: [{ about: "block", receivedAt: NOW }] })).toEqual([]);
  });

  it("assigns a repetition with a spend to the highest threshold that the spend reaches", () => {
    const blocked = historyAfter(find("560"), acme, NOW - HOUR);
    const about = (spend: string) => [{ about: { spendNanoUsd: usd(spend) }, receivedAt: NOW }];
    expect(summaryOf(find("560", { history: blocked, repeats: about("560") }))).toEqual(["budget_blocked announced"]);
    expect(summaryOf(find("560", { history: blocked, repeats: about("510") }))).toEqual(["budget_crossed announced"]);
    expect(find("560", { history: blocked, repeats: about("399") })).toEqual([]);
  });

  it("counts the hour from the last notice, not from a change of the limit", () => {
    const lowered: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("510"), configVersion: 2 };
    const carried = historyAfter(find("420", { config: lowered, history }), lowered, NOW - MINUTE);
    const both = { lastEvaluation: carried.lastEvaluation, alerts: [...history.alerts, ...carried.alerts] };
    expect(summaryOf(find("420", { config: lowered, history: both, repeats: [soft] }))).toEqual([
      "threshold_crossed announced",
    ]);
  });

  it("says how often an alert is repeated, from 1 again after a new crossing", () => {
    const soon = find("420", { history, repeats: [soft] });
    expect(soon.map(({ repetition }) => repetition)).toEqual([1]);
    const blocked = historyAfter(find("560"), acme, NOW - 3 * HOUR);
    const over = historyAfter(find("100", { history: blocked }), acme, NOW - 2 * HOUR);
    const ended = { ...over, alerts: [...blocked.alerts, ...over.alerts] };
    const again = find("420", { history: ended, repeats: [soft] });
    expect(again).toMatchObject([{ eventType: "threshold_crossed", occurrence: 1, repetition: 0, isSilent: false }]);
  });

  it("announces a tenant that goes on at 84 % after 1 h, 4 h later, then once a day", () => {
    let known = NEVER_LOOKED;
    const toldAt: number[] = [];
    for (let minutes = 0; minutes <= 5 * 24 * 60; minutes += 5) {
      const now = NOW + minutes * MINUTE;
      const repeats = [{ ...soft, receivedAt: now }];
      const drafts = find("420", { history: known, repeats, now });
      if (drafts.length > 0) toldAt.push(minutes / 60);
      known = {
        ...historyAfter(drafts, acme, now),
        alerts: [...known.alerts, ...historyAfter(drafts, acme, now).alerts],
      };
    }
    expect(toldAt).toEqual([0, 1, 5, 29, 53, 77, 101]);
  });

  it("records no repetition from spend alone", () => {
    expect(find("430", { history })).toEqual([]);
  });
});

describe("leaving the block", () => {
  const blocked = historyAfter(find("560"));
  const raised: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("1000"), configVersion: 2 };

  it("announces the end of a block once per limit version", () => {
    const drafts = find("560", { config: raised, history: blocked });
    expect(summaryOf(drafts)).toEqual(["budget_resolved announced"]);
    const after = { ...blocked, alerts: [...blocked.alerts, ...historyAfter(drafts, raised, NOW + 1).alerts] };
    expect(find("560", { config: raised, history: after })).toEqual([]);
  });

  it("announces no end again that the release before recorded under another identity", () => {
    const [end] = find("560", { config: raised, history: blocked });
    if (end === undefined) throw new Error("no end");
    const old = { ...end, identity: "budget_resolved/1793491200000/2/0/acme" };
    const after = { ...blocked, alerts: [...blocked.alerts, ...historyAfter([old], raised, NOW + 1).alerts] };
    expect(find("560", { config: raised, history: after })).toEqual([]);
  });

  it("announces no end while another than Bursar blocks the tenant in LiteLLM", () => {
    expect(find("100", { config: { ...acme, litellmBlockedAt: NOW }, history: blocked })).toEqual([]);
  });

  it("re-arms the thresholds above the spend at the end of a block, so the next block and its end are announced", () => {
    const false560 = find("560");
    const over = findAt("100", historyAfter(false560), NOW + MINUTE);
    expect(summaryOf(over.drafts)).toEqual(["budget_resolved announced"]);
    const again = findAt("560", over.history, NOW + DAY);
    expect(summaryOf(again.drafts)).toEqual([
      "threshold_crossed silent",
      "budget_crossed silent",
      "budget_blocked announced",
    ]);
    expect(again.drafts.map(({ occurrence }) => occurrence)).toEqual([1, 1, 1]);
    expect(findAt("565", again.history, NOW + DAY + MINUTE).drafts).toEqual([]);
    const overAgain = findAt("100", again.history, NOW + 2 * DAY);
    expect(overAgain.drafts).toMatchObject([{ eventType: "budget_resolved", occurrence: 1 }]);
  });

  it("re-arms no threshold that was still exceeded at the end of the block", () => {
    const over = findAt("520", historyAfter(find("560")), NOW + MINUTE);
    expect(summaryOf(findAt("560", over.history, NOW + DAY).drafts)).toEqual(["budget_blocked announced"]);
  });

  it("announces a new block under a new limit instead of suppressing it", () => {
    const over = findAt("100", historyAfter(find("560")), NOW + MINUTE);
    const lowered: TenantConfig = { ...acme, maxBudgetNanoUsd: usd("300"), configVersion: 2 };
    expect(summaryOf(find("560", { config: lowered, history: over.history }))).toEqual([
      "threshold_crossed silent",
      "budget_crossed silent",
      "budget_blocked announced",
    ]);
  });

  it("announces no end of a block for a tenant that was not blocked", () => {
    expect(find("560", { config: raised, history: historyAfter(find("510")) })).toEqual([]);
  });

  it("announces the end of a block when a new period begins", () => {
    const record = aSpendRecord({ spendNanoUsd: usd("1"), periodStartedAt: RESET, resetsAt: RESET + 31 * DAY });
    expect(summaryOf(find("0", { record, history: blocked }))).toEqual(["budget_resolved announced"]);
  });

  it("announces no end of a block while the tenant is suspended", () => {
    expect(find("560", { config: { ...raised, suspendedAt: NOW }, history: blocked })).toEqual([]);
  });
});

describe("enforcing an observed tenant", () => {
  const observed: TenantConfig = { ...acme, enforcement: "observe" };
  const wouldBlock = historyAfter(find("560", { config: observed }), observed, NOW - MINUTE);

  it("records a block under observe with the enforcement in its detail", () => {
    const details = find("560", { config: observed }).map(({ eventType, detail }) => [eventType, detail]);
    expect(details).toEqual([
      ["threshold_crossed", null],
      ["budget_crossed", null],
      ["budget_blocked", { enforcement: "observe" }],
    ]);
    expect(find("560").map(({ detail }) => detail)).toEqual([null, null, null]);
  });

  it("announces the block once under enforce, because calls are refused only now", () => {
    const drafts = find("560", { history: wouldBlock });
    expect(summaryOf(drafts)).toEqual(["budget_blocked announced"]);
    const { alerts, lastEvaluation } = historyAfter(drafts);
    expect(find("560", { history: { lastEvaluation, alerts: [...wouldBlock.alerts, ...alerts] } })).toEqual([]);
  });

  it("announces the block although it was part of the silent baseline", () => {
    const baseline = historyAfter(find("560", { config: observed, isBaseline: true }), observed, NOW - MINUTE);
    expect(summaryOf(find("560", { history: baseline }))).toEqual(["budget_blocked announced"]);
  });

  it("announces the block although the limit changed as well and is still exceeded", () => {
    const changed = { ...acme, maxBudgetNanoUsd: usd("505"), configVersion: 2 };
    expect(summaryOf(find("560", { config: changed, history: wouldBlock }))).toEqual([
      "threshold_crossed silent",
      "budget_crossed silent",
      "budget_blocked announced",
    ]);
  });

  it("announces nothing below the block threshold, because no call is refused there", () => {
    const history = historyAfter(find("540", { config: observed }), observed);
    expect(find("540", { history })).toEqual([]);
  });

  it("announces nothing when an enforced block is observed for a while and enforced again", () => {
    const blocked = historyAfter(find("560"));
    expect(find("560", { config: observed, history: blocked })).toEqual([]);
    expect(find("560", { history: blocked })).toEqual([]);
  });
});
