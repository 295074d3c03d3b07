// Slack messages: a sentence, a bar, a line of numbers and a button, within Slack's limits.

import { describe, expect, it } from "vitest";
import { blockProblems } from "../../dev/inbox/receivers/slack-blocks.ts";
import { aNotice, SAMPLES } from "../../dev/notices/samples.ts";
import type { Notice } from "../../src/notices/notice.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";

interface Block {
  type: string;
  text?: { type: string; text: string };
  elements?: { text: unknown; url?: string }[];
}

const blocks = (notice: Notice, publicUrl: string | null = null) =>
  slackMessage(notice, publicUrl).blocks as unknown as Block[];
const header = (notice: Notice) => blocks(notice).find(({ type }) => type === "header")?.text?.text;
const context = (notice: Notice) =>
  blocks(notice)
    .filter(({ type }) => type === "context")
    .map(({ elements }) => elements?.map(({ text }) => text).join("  ·  "));

describe("the state", () => {
  it.each([
    ["warning", ":warning: Acme Corp (acme) has used 82.5 % of its budget"],
    ["critical", ":rotating_light: Acme Corp (acme) has used 105 % of its budget; requests still go through"],
    ["blocked", ":no_entry: Acme Corp (acme) has used 110.4 % of its budget; requests are refused"],
    ["blocked-zero-limit", ":no_entry: Acme Corp (acme) has a limit of zero; requests are refused"],
    ["resolved", ":large_green_circle: Acme Corp (acme) is no longer blocked (61.33 % used)"],
    ["resumed", ":large_green_circle: Acme Corp (acme) is no longer suspended"],
    ["reset", ":arrows_counterclockwise: Acme Corp (acme) has started a new budget period"],
    ["override-granted", ":ticket: Acme Corp (acme) may spend $100.00 more until 22 November 2026, 18:00 UTC"],
    [
      "override-ended",
      ":ticket: Acme Corp (acme) no longer has an override of $100.00: it has expired; requests are refused",
    ],
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

  it("shows a platform notice with its facts and without a bar", () => {
    const notice = SAMPLES["platform-sync-pending"] as Notice;
    expect(context(notice)[0]).toBe(
      "Tenants: 2  ·  Oldest pending tenant: acme  ·  Error: LiteLLM does not know this key  ·  Since: 15 November 2026, 11:40 UTC  ·  First seen: 15 November 2026, 11:50 UTC",
    );
    expect(JSON.stringify(blocks(notice))).not.toMatch(/[█▒░$%]/);
  });
});

describe("the message", () => {
  it("N3: says a fact in one sentence, one bar, one line of numbers and one button", () => {
    expect(blocks(SAMPLES["warning"] as Notice, "https://bursar.example.com").map(({ type }) => type)).toEqual([
      "header",
      "section",
      "context",
      "context",
      "actions",
    ]);
  });

  it("N3: shows spend, limit, what is left, where it blocks and when it resets in one line", () => {
    expect(context(SAMPLES["warning"] as Notice)[0]).toBe(
      "Spent *$412.50*  ·  Limit *$500.00*  ·  Left *$87.50*  ·  Blocks at $550.00 (110 %)  ·  Resets 1 December 2026, 00:00 UTC",
    );
  });

  it("shows what is over the limit instead of what is left", () => {
    expect(context(SAMPLES["critical"] as Notice)[0]).toContain("Limit *$500.00*  ·  Over *$25.00*");
  });

  it("opens the tenant's page by its button, and has none without the address of the pages", () => {
    const ofActions = (publicUrl: string | null) =>
      blocks(SAMPLES["warning"] as Notice, publicUrl).find(({ type }) => type === "actions");
    expect(ofActions("https://bursar.example.com")?.elements?.[0]).toMatchObject({
      text: { text: "Open tenant" },
      url: "https://bursar.example.com/tenants/acme",
    });
    expect(ofActions(null)).toBeUndefined();
  });

  it("shows time and alert id in the context", () => {
    expect(context(SAMPLES["warning"] as Notice).at(-1)).toBe(
      "15 November 2026, 12:00 UTC · alert 0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10 · Bursar",
    );
  });

  it("shows a test without amounts and without a bar", () => {
    expect(context(SAMPLES["test"] as Notice)[0]).toBe("Channel: ops alerts  ·  Notices about: tenant acme");
    expect(JSON.stringify(slackMessage(SAMPLES["test"] as Notice))).not.toMatch(/[█▒░$%]/);
  });
});

describe("the fallback text", () => {
  it("has tag, tenant and sentence in one line", () => {
    expect(slackMessage(SAMPLES["blocked"] as Notice).text).toBe(
      ":no_entry: Blocked: Acme Corp (acme) has used 110.4 % of its budget; requests are refused.",
    );
  });

  it("names a repetition a reminder, and a new crossing none", () => {
    const again = slackMessage(aNotice("budget_blocked", { threshold: 11_000n, spend: "552", repetition: 2 }));
    expect(again.text).toContain("Blocked (2nd reminder): Acme");
    expect(JSON.stringify(again.blocks)).toContain("*2nd reminder*");
    const fresh = slackMessage(aNotice("budget_blocked", { threshold: 11_000n, spend: "552", occurrence: 1 }));
    expect(JSON.stringify(fresh)).not.toMatch(/repeat|remind/i);
  });
});

it.each(Object.entries(SAMPLES))("lets Slack make no link and no mention of any text: %s", (_, notice) => {
  const verbatim: unknown[] = [];
  JSON.stringify(slackMessage(notice).blocks, (_key, value) => {
    if (value?.type === "mrkdwn") verbatim.push(value.verbatim);
    return value;
  });
  expect(new Set(verbatim)).toEqual(new Set([true]));
});

it.each(Object.entries(SAMPLES))("stays within Slack's limits: %s", (_, notice) => {
  expect(blockProblems(slackMessage(notice, "https://bursar.example.com").blocks, "blocks")).toEqual([]);
});
