// No notice contradicts itself: in every kind of channel the amounts, the percentage and the dates that a reader sees
// agree with each other, each fact comes once, and only a blocked tenant is called blocked.

import fc from "fast-check";
import { expect, it } from "vitest";
import { shownText } from "../../dev/inbox/message-text.ts";
import { aNotice, type Difference } from "../../dev/notices/samples.ts";
import { ALERT_EVENT_TYPES, type AlertEventType } from "../../src/budget/alert.ts";
import { nanoUsdFromDecimal, partOf } from "../../src/budget/money.ts";
import { hasNotice } from "../../src/notices/copy/event-copy.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import { eventBody } from "../../src/notices/event.ts";
import type { AlertNotice } from "../../src/notices/notice.ts";
import { discordMessage } from "../../src/notices/providers/discord.ts";
import { pagerDutyEvent } from "../../src/notices/providers/pagerduty.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";
import { teamsMessage } from "../../src/notices/providers/teams.ts";

const PUBLIC_URL = "https://bursar.example.com";
const NOW = Date.UTC(2026, 10, 15, 12);
const DAY_MS = 86_400_000;

/** US dollars with up to nine decimals, often near the limits of the others. */
const amount = fc.oneof(
  fc.constantFrom("0", "0.004", "399.999999999", "400", "412.5", "499.995", "500", "549.999999999", "550", "850"),
  fc.tuple(fc.nat(2_000), fc.nat(999_999_999)).map(([whole, nano]) => `${whole}.${String(nano).padStart(9, "0")}`),
);
const limit = fc.oneof(fc.constantFrom("0", "0.05", "100", "333.33", "500"), fc.nat(2_000).map(String));
const instant = fc.integer({ min: -40, max: 40 }).map((days) => NOW + days * DAY_MS);
const isoOf = (at: number) => new Date(at).toISOString();

const differences: fc.Arbitrary<Difference & { readonly spend: string }> = fc
  .record({
    spend: amount,
    limit,
    maxBudget: limit,
    threshold: fc.constantFrom(null, 8_000n, 10_000n, 10_500n, 11_000n),
    alertThreshold: fc.integer({ min: 50, max: 100 }).map((percent) => BigInt(percent) * 100n),
    graceThreshold: fc.integer({ min: 100, max: 150 }).map((percent) => BigInt(percent) * 100n),
    enforcement: fc.constantFrom("enforce" as const, "observe" as const),
    repetition: fc.nat(30),
    occurrence: fc.nat(3),
    resetsAt: fc.option(instant),
    expires: instant,
    revoked: fc.option(instant),
    override: amount,
  })
  .map(({ expires, revoked, override, ...rest }) => ({
    ...rest,
    detail: {
      override_amount: override,
      expires_at: isoOf(expires),
      ...(revoked !== null && { revoked_at: isoOf(revoked) }),
    },
  }));

const notices: fc.Arbitrary<AlertNotice> = fc
  .tuple(
    fc.constantFrom<AlertEventType>(...ALERT_EVENT_TYPES.filter((eventType) => hasNotice({ eventType }))),
    differences,
  )
  .map(([eventType, difference]) => aNotice(eventType, difference));

/** The text of a notice in each kind of channel that people read. */
function shownTexts(notice: AlertNotice): Record<string, string> {
  const { html, text } = emailMessage(notice, PUBLIC_URL);
  const { text: _, ...slack } = slackMessage(notice, PUBLIC_URL);
  return {
    html: html
      .replace(/<head>.*<\/head>/s, "")
      .replace(/<[^>]*>/g, " ")
      .replace(/&nbsp;|\s+/g, " "),
    text,
    slack: shownText(slack).replaceAll("*", ""),
    teams: shownText(teamsMessage(notice, PUBLIC_URL).attachments[0].content["body"]),
    discord: shownText(discordMessage(notice, PUBLIC_URL)),
    pagerduty: JSON.stringify(pagerDutyEvent(notice, PUBLIC_URL).payload),
  };
}

const usdOf = (text: string) => nanoUsdFromDecimal(text) ?? 0n;
const amountAfter = (label: RegExp, text: string) => {
  const [, found] = new RegExp(`\\b${label.source}\\b[^$]{0,30}\\$([\\d.]+\\d)`).exec(text) ?? [];
  return found === undefined ? null : usdOf(found);
};

it("contradicts itself in no notice, of any event, amount, date and channel", () => {
  fc.assert(
    fc.property(notices, (notice) => {
      for (const [channel, text] of Object.entries(shownTexts(notice))) agrees(notice, text, channel);
    }),
    { numRuns: Number(process.env["NOTICE_RUNS"] ?? 300) },
  );
});

function agrees({ alert, enforcement }: AlertNotice, text: string, channel: string): void {
  const about = `${channel}: ${text}`;
  const [spent, of, left, over, blocksAt] = [/Spent/, /Limit/, /Left/, /Over/, /[Bb]locks? at/].map((label) =>
    amountAfter(label, text),
  );
  expect(spent, about).not.toBeNull();
  expect(of, about).toBe(alert.limitNanoUsd);
  // Exactly one of the two, and it is the difference of the others.
  expect((left ?? null) === null, about).toBe((over ?? null) !== null);
  expect((of ?? 0n) - (spent ?? 0n), about).toBe(left ?? -(over ?? 0n));
  expect(alert.spendNanoUsd - (spent ?? 0n), about).toBeGreaterThanOrEqual(0n);
  expect(alert.spendNanoUsd - (spent ?? 0n), about).toBeLessThan(10_000_000n);

  const isBlocked = /requests (?:are|would be) refused/.test(text) && alert.eventType !== "tenant_suspended";
  if ((blocksAt ?? null) !== null)
    expect((spent ?? 0n) >= (blocksAt ?? 0n), about).toBe(isBlocked || isSuspendedAndOver(text, spent, blocksAt));
  if (isBlocked) expect(/would be refused/.test(text), about).toBe(enforcement === "observe");
  if (alert.eventType === "budget_resolved") expect(isBlocked, about).toBe(false);

  const [, percent] = /(?:used |\()(\d+(?:\.\d+)?) % (?:of its budget|used)/.exec(text) ?? [];
  if (percent !== undefined) {
    const share = BigInt(Math.round(Number(percent) * 100));
    expect(alert.spendNanoUsd, about).toBeGreaterThanOrEqual((alert.limitNanoUsd * share) / 10_000n);
    expect(alert.spendNanoUsd, about).toBeLessThan(partOf(alert.limitNanoUsd, share + 1n));
  }
  for (const [, word = "", date = ""] of text.matchAll(
    /(Resets|Reset was due|until|Ended)[ "]+(?:[:]["\s]*)?(\d+ \w+ \d{4}, \d\d:\d\d)/g,
  )) {
    const isFuture = Date.parse(`${date} UTC`) > alert.createdAt;
    expect([word, isFuture], about).toEqual([word, word === "Resets" || word === "until"]);
  }
  eachFactOnce(alert, text, about);
}

/** A suspended tenant is refused anyway, so its sentence does not name its budget. */
function isSuspendedAndOver(
  text: string,
  spent: bigint | null | undefined,
  blocksAt: bigint | null | undefined,
): boolean {
  return text.includes("is suspended") && (spent ?? 0n) >= (blocksAt ?? 0n);
}

/** There are as many amounts as facts: spent, limit, left or over, and perhaps where it blocks and an override. */
function eachFactOnce({ eventType }: AlertNotice["alert"], text: string, about: string): void {
  const amounts = [...text.matchAll(/\$\d+\.\d+/g)].map(([found]) => found);
  const overrides = /Overrides included|override of|may spend \$/.test(text) ? 1 : 0;
  const blocks = /[Bb]locks? at/.test(text) ? 1 : 0;
  expect(amounts, `${eventType} ${about}`).toHaveLength(3 + blocks + overrides);
}

it("has the amounts and the state of one verdict in every event", () => {
  fc.assert(
    fc.property(notices, (notice) => {
      const { data } = JSON.parse(eventBody(notice)) as { data: Record<string, number | string | null> };
      const { spend, limit: of, remaining, blocks_at: blocksAt, state } = data;
      const isBlocked = blocksAt !== null && Number(spend) >= Number(blocksAt);
      expect(state === "blocked", JSON.stringify(data)).toBe(
        isBlocked || notice.alert.eventType === "tenant_suspended",
      );
      expect(Number(remaining)).toBeCloseTo(Math.max(0, Number(of) - Number(spend)), 6);
    }),
  );
});

it("has no notice for LiteLLM's projection", () => {
  expect(hasNotice({ eventType: "projected_limit_exceeded" })).toBe(false);
  expect(() => emailMessage(aNotice("projected_limit_exceeded"))).toThrow("unknown event type");
});
