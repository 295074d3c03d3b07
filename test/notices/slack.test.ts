// Slack messages: emoji, bar and fields of every kind, within Slack's limits.

import { describe, expect, it } from "vitest";
import { blockProblems } from "../../dev/inbox/receivers/slack-blocks.ts";
import { aNotice, SAMPLES } from "../../dev/notices/samples.ts";
import type { Notice } from "../../src/notices/notice.ts";
import { progressBar, slackMessage } from "../../src/notices/slack.ts";

interface Block {
  type: string;
  text?: { type: string; text: string };
  fields?: { text: string }[];
  elements?: { text: string }[];
}

const blocks = (notice: Notice) => slackMessage(notice).blocks as unknown as Block[];
const header = (notice: Notice) => blocks(notice).find(({ type }) => type === "header")?.text?.text;
const bar = (notice: Notice) => blocks(notice)[1]?.text?.text;
const fields = (notice: Notice) =>
  blocks(notice)
    .flatMap((block) => block.fields ?? [])
    .map(({ text }) => text);

describe("the state", () => {
  it.each([
    ["warning", ":warning: Acme Corp (acme) has used 82.5 % of its budget"],
    ["critical", ":rotating_light: Acme Corp (acme) has used 105 % of its budget"],
    ["blocked", ":no_entry: Acme Corp (acme) has used 110.4 % of its budget; requests are refused"],
    ["blocked-zero-limit", ":no_entry: Acme Corp (acme) has a limit of $0.00; requests are refused"],
    ["resolved", ":large_green_circle: Acme Corp (acme) is no longer blocked (61.33 % used)"],
    ["resumed", ":large_green_circle: Acme Corp (acme) is no longer suspended"],
    ["projected", ":chart_with_upwards_trend: Acme Corp (acme) is on course to exceed its limit on 24 November 2026"],
    ["reset", ":arrows_counterclockwise: Acme Corp (acme) has started a new budget period"],
    ["override-granted", ":ticket: Acme Corp (acme) may spend $100.00 more until 22 November 2026, 18:00 UTC"],
    ["override-ended", ":ticket: Acme Corp (acme) now has a limit of $500.00"],
    ["suspended", ":octagonal_sign: Acme Corp (acme) is suspended; requests are refused"],
    ["platform-dead-letter", ":rotating_light: A queue message failed every attempt"],
    ["platform-sync-pending", ":rotating_light: A tenant's budget is not synced to LiteLLM"],
    ["platform-litellm-silent", ":rotating_light: Bursar has read no tenant's spend in the last two hours"],
    ["platform-litellm-out", ":rotating_light: LiteLLM is unreachable"],
    ["test", ":wrench: This is a test of the channel; no budget has changed"],
    ["warning-repeated", ":warning: acme has used 82.5 % of its budget"],
  ])("N3: shows the emoji of %s in the header", (name, expected) => {
    expect(header(SAMPLES[name] as Notice)).toBe(expected);
  });

  it("shows a platform notice with its fields and without a bar", () => {
    const notice = SAMPLES["platform-sync-pending"] as Notice;
    expect(fields(notice)).toEqual([
      "*Tenants*\n2",
      "*Oldest pending tenant*\nacme",
      "*Error*\nLiteLLM does not know this key",
      "*Since*\n15 November 2026, 11:40 UTC",
      "*First seen*\n15 November 2026, 11:50 UTC",
    ]);
    expect(JSON.stringify(blocks(notice))).not.toMatch(/[▓░$%]/);
  });

  it("N3: shows the emoji of the state beside the bar for other events", () => {
    expect(bar(SAMPLES["override-granted"] as Notice)).toMatch(/^:warning: ▓/);
    expect(bar(SAMPLES["override-ended"] as Notice)).toMatch(/^:no_entry: ▓/);
    expect(bar(SAMPLES["reset"] as Notice)).toMatch(/^:large_green_circle: ░/);
    expect(bar(SAMPLES["warning"] as Notice)).toMatch(/^▓/);
  });
});

describe("the fields", () => {
  it("N3: shows every field of a warning", () => {
    expect(fields(SAMPLES["warning"] as Notice)).toEqual([
      "*Spend*\n$412.50",
      "*Limit*\n$500.00",
      "*Used*\n82.5 %",
      "*Remaining*\n$87.50",
      "*Blocks at*\n$550.00 (110 %), $137.50 to go",
      "*Resets*\n1 December 2026, 00:00 UTC",
    ]);
    expect(bar(SAMPLES["warning"] as Notice)).toBe("▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░ *82.5 %* used");
  });

  it("N3: shows a full bar with an arrow and the excess beyond the limit", () => {
    expect(bar(SAMPLES["critical"] as Notice)).toBe("▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▶ *105 %* used, $25.00 over the limit");
  });

  it("shows time and alert id in the context", () => {
    expect(blocks(SAMPLES["warning"] as Notice).at(-1)?.elements?.[0]?.text).toBe(
      "15 November 2026, 12:00 UTC · alert 0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10 · Bursar",
    );
  });

  it("shows a test without amounts and without a bar", () => {
    expect(fields(SAMPLES["test"] as Notice)).toEqual(["*Channel*\nops alerts", "*Notices about*\ntenant acme"]);
    expect(JSON.stringify(slackMessage(SAMPLES["test"] as Notice))).not.toMatch(/[▓░$%]/);
  });
});

describe("the bar", () => {
  it.each([
    [0n, "░░░░░░░░░░░░░░░░░░░░"],
    [499n, "░░░░░░░░░░░░░░░░░░░░"],
    [500n, "▓░░░░░░░░░░░░░░░░░░░"],
    [7_999n, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░"],
    [9_999n, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░"],
    [10_000n, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓"],
    [10_001n, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▶"],
    [99_000_000n, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▶"],
    [null, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▶"],
  ])("draws %s as %s", (used, expected) => {
    expect(progressBar(used)).toBe(expected);
  });
});

describe("the fallback text", () => {
  it("says everything in sentences", () => {
    expect(slackMessage(SAMPLES["blocked"] as Notice).text).toBe(
      ":no_entry: Blocked: Acme Corp (acme) has used 110.4 % of its budget; requests are refused. $552.00 is spent of a limit of $500.00. At $550.00 (110 %) and above, every request is refused. To allow requests again, raise max_budget or grant an override. Otherwise wait for the reset on 1 December 2026, 00:00 UTC.",
    );
  });

  it("says that a reminder is one", () => {
    const message = slackMessage(aNotice("budget_blocked", { threshold: 11_000n, spend: "552", repetition: 3 }));
    expect(message.text).toContain("Reminder 3: this alert is still active.");
    expect(JSON.stringify(message.blocks)).toContain("*Reminder 3: this alert is still active.*");
  });
});

it.each(Object.entries(SAMPLES))("stays within Slack's limits: %s", (_, notice) => {
  expect(blockProblems(slackMessage(notice).blocks, "blocks")).toEqual([]);
  expect(fields(notice).length).toBeLessThanOrEqual(10);
});
