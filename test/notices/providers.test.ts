// Messages to PagerDuty, Teams and Discord: what opens and ends an incident, and what each vendor's format allows.

import { AdaptiveCard, SerializationContext, Versions } from "adaptivecards";
import { describe, expect, it } from "vitest";
import { discordEndpoint } from "../../dev/inbox/receivers/discord.ts";
import { pagerDutyEndpoint } from "../../dev/inbox/receivers/pagerduty.ts";
import { cardOf, teamsEndpoint } from "../../dev/inbox/receivers/teams.ts";
import { aNotice, aPlatformNotice, SAMPLES } from "../../dev/notices/samples.ts";
import { alertIdentity } from "../../src/budget/alert.ts";
import type { TenantId } from "../../src/budget/tenant.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import type { AlertNotice, Notice } from "../../src/notices/notice.ts";
import { discordMessage } from "../../src/notices/providers/discord.ts";
import { incidentKey, pagerDutyEvent } from "../../src/notices/providers/pagerduty.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";
import { teamsMessage } from "../../src/notices/providers/teams.ts";

const PUBLIC_URL = "https://bursar.example.com";
const WARNING = SAMPLES["warning"] as Notice;
const tenantId = "acme" as TenantId;
const PERIOD = Date.UTC(2026, 10, 1);

const callOf = (body: unknown) => {
  const rawBody = JSON.stringify(body);
  const headers = new Headers();
  return { id: "1", nowMs: 0, path: "/", headers, rawBody, body: JSON.parse(rawBody) as unknown, isJson: true };
};

describe("PagerDuty", () => {
  const block = (occurrence: number, periodStartedAt = PERIOD) => {
    const identity = { tenantId, periodStartedAt, limitVersion: 1, threshold: 11_000n, occurrence };
    return aNotice("budget_blocked", {
      threshold: 11_000n,
      spend: "552",
      identity: alertIdentity({ eventType: "budget_blocked", ...identity }),
    });
  };
  const resolved = aNotice("budget_resolved", {
    spend: "552",
    limit: "900",
    identity: alertIdentity({ eventType: "budget_resolved", block: block(3, PERIOD - 1).alert.identity }),
  });
  const keyOf = ({ alert }: AlertNotice) => incidentKey(alert);

  it("opens a critical incident for a block", () => {
    expect(pagerDutyEvent(block(0), PUBLIC_URL)).toEqual({
      event_action: "trigger",
      dedup_key: "bursar/budget_blocked/acme",
      payload: {
        summary: "Blocked: Acme Corp (acme) has used 110.4 % of its budget; requests are refused",
        source: "bursar/acme",
        severity: "critical",
        timestamp: "2026-11-15T12:00:00.000Z",
        component: "budget",
        custom_details: {
          Spent: "$552.00",
          Limit: "$500.00",
          Over: "$52.00",
          Block: "Blocks at $550.00 (110 %)",
          Reset: "Resets 1 December 2026, 00:00 UTC",
        },
      },
      links: [{ href: "https://bursar.example.com/tenants/acme", text: "Open tenant" }],
    });
  });

  it("resolves by budget_resolved the incident of the block that it ends", () => {
    expect(pagerDutyEvent(resolved, null)).toMatchObject({
      event_action: "resolve",
      dedup_key: pagerDutyEvent(block(0), null).dedup_key,
    });
  });

  it("gives a repetition the incident of its block, and each threshold an incident of its own", () => {
    expect(keyOf(block(1))).toBe(keyOf(block(0)));
    expect(keyOf(aNotice("budget_crossed"))).not.toBe(keyOf(aNotice("threshold_crossed")));
  });

  it("gives a crossing of the next period or of another tenant an incident of its own", () => {
    const crossing = (ofTenant: string, periodStartedAt: number) => {
      const identity = { tenantId: ofTenant as TenantId, periodStartedAt, limitVersion: 1, threshold: 8_000n };
      const name = alertIdentity({ eventType: "threshold_crossed", ...identity, occurrence: 0 });
      return keyOf(aNotice("threshold_crossed", { tenantId: ofTenant as TenantId, identity: name }));
    };
    const keys = [crossing("acme", PERIOD), crossing("acme", PERIOD + 1), crossing("globex", PERIOD)];
    expect(new Set(keys).size).toBe(3);
    expect(keyOf(aNotice("budget_blocked", { tenantId: "globex" as TenantId }))).not.toBe(keyOf(block(0)));
  });

  it("resolves by tenant_resumed the incident of the suspension", () => {
    const [suspended, resumed] = (["tenant_suspended", "tenant_resumed"] as const).map((eventType, at) =>
      aNotice(eventType, { identity: alertIdentity({ eventType, tenantId, auditId: at + 7 }) }),
    );
    if (suspended === undefined || resumed === undefined) throw new Error("no notices");
    expect(pagerDutyEvent(resumed, null).event_action).toBe("resolve");
    expect(keyOf(resumed)).toBe(keyOf(suspended));
  });

  it.each([
    ["warning", "warning"],
    ["critical", "error"],
    ["blocked", "critical"],
    ["reset", "info"],
    ["platform-litellm-out", "error"],
    ["test", "info"],
  ])("gives %s the severity %s", (name, severity) => {
    expect(pagerDutyEvent(SAMPLES[name] as Notice, null).payload.severity).toBe(severity);
  });

  it("gives the reminders of a platform condition one incident, and says what to do", () => {
    const { dedup_key: key, payload } = pagerDutyEvent(aPlatformNotice("litellm_out", {}), PUBLIC_URL);
    expect([key, payload.source]).toEqual(["bursar/platform/litellm_out", "bursar"]);
    expect(payload.custom_details).toMatchObject({ "What to do": expect.stringContaining("Restore LiteLLM") });
  });
});

describe("Teams", () => {
  it.each(Object.entries(SAMPLES))("takes the card of %s as an Adaptive Card 1.4 without a complaint", (_, notice) => {
    const body = teamsMessage(notice, PUBLIC_URL);
    const context = new SerializationContext(Versions.v1_4);
    const card = new AdaptiveCard();
    card.parse(JSON.parse(JSON.stringify(cardOf(body))), context);
    const complaints = Array.from({ length: context.eventCount }, (_each, at) => context.getEventAt(at).message);
    expect([...complaints, ...card.validateProperties().validationEvents.map(({ message }) => message)]).toEqual([]);
    expect(card.getItemCount()).toBe((cardOf(body)["body"] as unknown[]).length);
  });

  it("says the sentence in the list of chats", () => {
    const fallback = cardOf(teamsMessage(WARNING, null))["fallbackText"];
    expect(fallback).toBe("Warning: Acme Corp (acme) has used 82.5 % of its budget");
  });

  it("opens the tenant's page by the card's action", () => {
    expect(cardOf(teamsMessage(WARNING, PUBLIC_URL))["actions"]).toEqual([
      { type: "Action.OpenUrl", title: "Open tenant", url: "https://bursar.example.com/tenants/acme" },
    ]);
    expect(cardOf(teamsMessage(WARNING, null))["actions"]).toEqual([]);
  });

  it("says of a repetition that it is one", () => {
    expect(JSON.stringify(teamsMessage(SAMPLES["warning-repeated"] as Notice, null))).toContain(
      "Warning · 2nd reminder",
    );
  });
});

describe("Discord", () => {
  it("gets one embed: the sentence with its link, the bar, three numbers", () => {
    expect(discordMessage(WARNING, PUBLIC_URL)).toEqual({
      embeds: [
        {
          title: "Acme Corp (acme) has used 82.5 % of its budget",
          url: "https://bursar.example.com/tenants/acme",
          color: 0xe8a90c,
          description:
            "`███████████████░░░│░░┃`\nBlocks at $550.00 (110 %) · Resets 1 December 2026, 00:00 UTC\n[Open tenant](https://bursar.example.com/tenants/acme)",
          fields: [
            { name: "Spent", value: "$412.50", inline: true },
            { name: "Limit", value: "$500.00", inline: true },
            { name: "Left", value: "$87.50", inline: true },
          ],
          footer: { text: "15 November 2026, 12:00 UTC · alert 0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10 · Bursar" },
        },
      ],
      allowed_mentions: { parse: [] },
    });
  });

  it("says of a repetition that it is one", () => {
    const { embeds } = discordMessage(SAMPLES["warning-repeated"] as Notice, null);
    expect(embeds?.[0]?.footer?.text).toContain("· 2nd reminder");
  });
});

it("shows a block and its end in colors of their own, in every kind of channel", () => {
  const [blocked, resolved] = [SAMPLES["blocked"] as Notice, SAMPLES["resolved"] as Notice];
  const colorsOf = (notice: Notice) => [
    discordMessage(notice, null).embeds?.[0]?.color,
    /"color":"(\w+)"/.exec(JSON.stringify(teamsMessage(notice, null)))?.[1],
    /border-top:5px solid (#\w+)/.exec(emailMessage(notice).html)?.[1],
    /^:\w+:/.exec(slackMessage(notice).text)?.[0],
  ];
  expect(colorsOf(blocked)).toEqual([0x7d1210, "attention", "#7d1210", ":no_entry:"]);
  expect(colorsOf(resolved)).toEqual([0x2f9e54, "good", "#1c7539", ":large_green_circle:"]);
});

it.each(Object.entries(SAMPLES))("passes the checks of every provider: %s", (_, notice) => {
  const event = { ...pagerDutyEvent(notice, PUBLIC_URL), routing_key: "a".repeat(32) };
  expect(pagerDutyEndpoint.receive(callOf(event), {}).problems).toEqual([]);
  expect(teamsEndpoint.receive(callOf(teamsMessage(notice, PUBLIC_URL)), {}).problems).toEqual([]);
  expect(discordEndpoint.receive(callOf(discordMessage(notice, PUBLIC_URL)), {}).problems).toEqual([]);
});
