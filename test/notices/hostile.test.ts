// Hostile names, ids and reasons: none of them adds markup, a mention or a header, or makes a provider refuse a
// message.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { discordEndpoint } from "../../dev/inbox/receivers/discord.ts";
import { pagerDutyEndpoint } from "../../dev/inbox/receivers/pagerduty.ts";
import { blockProblems } from "../../dev/inbox/receivers/slack-blocks.ts";
import { teamsEndpoint } from "../../dev/inbox/receivers/teams.ts";
import { aNotice, aPlatformNotice } from "../../dev/notices/samples.ts";
import type { TenantId } from "../../src/budget/tenant.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import { eventBody } from "../../src/notices/event.ts";
import type { Notice } from "../../src/notices/notice.ts";
import { discordMessage } from "../../src/notices/providers/discord.ts";
import { pagerDutyEvent } from "../../src/notices/providers/pagerduty.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";
import { teamsMessage } from "../../src/notices/providers/teams.ts";

const withName = (tenantName: string) => aNotice("budget_blocked", { threshold: 11_000n, spend: "552", tenantName });
const withReason = (reason: string) => aNotice("override_granted", { detail: { reason } });
const slackText = (name: string) => JSON.stringify(slackMessage(withName(name)));

const HOSTILE = [
  "<script>alert(1)</script>",
  "</td></tr></table><h1>Paid",
  '" onmouseover="x',
  "<!channel> <@U123> <#C123> <https://evil.example|Click>",
  "@here @channel @everyone",
  "*bold* _italic_ ~gone~ `code`",
  "```\nblock\n```",
  ":skull: :no_entry:",
  "> quoted",
  "Acme\r\nBcc: victim@example.com\r\n\r\nbody",
  "Acme\u2028next\u2029next\u0085next\u0000",
  "invoice\u202Efdp.exe",
  "\u2066\u200Fmixed\u2069",
  "&amp; &lt;b&gt;",
  "{{7*7}} %s \\",
  "👩‍👩‍👧‍👦 Família 株式会社",
  "\ud800 lone",
  "x".repeat(10_000),
  "&".repeat(10_000),
  "🚀".repeat(10_000),
  " ",
  "",
];

describe("an e-mail", () => {
  const plain = emailMessage(withName("Acme")).html.replace(/Acme/g, "");
  const tags = (html: string) => html.match(/<[^>]*>/g);

  it.each(HOSTILE)("N2: the name %j adds no tag to the HTML and no line to the subject", (name) => {
    const { subject, html, text } = emailMessage(withName(name));
    expect(tags(html)).toEqual(tags(plain));
    expect(subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]|[\u202a-\u202e\u2066-\u2069\u200e\u200f]/u);
    expect(subject.length).toBeLessThanOrEqual(200);
    expect(subject).toMatch(/^Blocked: .*has used 110\.4 % of its budget; requests are refused$/u);
    for (const part of [subject, html, text]) expect(part.isWellFormed()).toBe(true);
    expect(text).not.toMatch(/^Bcc:/m);
  });

  it("N2: shows hostile characters as text", () => {
    const { html, text } = emailMessage(withName("<script>alert('1')</script> & \"Sons\""));
    expect(html).toContain("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;Sons&quot;");
    expect(html).not.toContain("<script");
    expect(text).toContain("<script>alert('1')</script> & \"Sons\" (acme)");
  });

  it("N2: escapes a reason like a name", () => {
    const { html } = emailMessage(withReason("</td><img src=x onerror=alert(1)>"));
    expect(html).toContain("&lt;/td&gt;&lt;img src=x onerror=alert(1)&gt;");
    expect(html).not.toContain("<img");
  });

  it("removes marks of writing direction", () => {
    expect(emailMessage(withName("invoice\u202Efdp.exe")).subject).toContain("Blocked: invoicefdp.exe (acme)");
  });

  it("drops a name of which nothing is left", () => {
    expect(emailMessage(withName("\u202e \r\n")).subject).toMatch(/^Blocked: acme has used/);
  });

  it("keeps both a long name and a long id visible", () => {
    const notice = { ...withName("N".repeat(500)) };
    const long = { ...notice, alert: { ...notice.alert, tenantId: "i".repeat(128) as TenantId } };
    expect(emailMessage(long).subject).toMatch(/^Blocked: N{50,}… \(i{50,}…\) has used 110\.4 %/);
  });
});

describe("a Slack message", () => {
  it.each(HOSTILE)("passes Slack's checks without mention, link or format for the name %j", (name) => {
    const { text, blocks } = slackMessage(withName(name));
    expect(blockProblems(blocks, "blocks")).toEqual([]);
    const all = JSON.stringify({ text, blocks });
    expect(all).not.toMatch(/[<>]/);
    expect(all.isWellFormed()).toBe(true);
    expect(text).not.toMatch(/[*~`]|(?<![:\w])@(?:here|channel|everyone)/);
    expect(text.match(/:[a-z_]+:/g)).toEqual([":no_entry:"]);
  });

  it.each(HOSTILE)("passes Slack's checks and stays in its field for the reason %j", (reason) => {
    const { blocks } = slackMessage(withReason(reason));
    expect(blockProblems(blocks, "blocks")).toEqual([]);
    const elements = blocks.flatMap((block) => (block["elements"] as { text: string }[] | undefined) ?? []);
    // The only bold text is that of Bursar's own amounts.
    for (const { text } of elements) expect(text.replace(/\*\$[\d.]+\*/g, "")).toMatch(/^[^\n*~`<>]+$/);
  });

  it("escapes with Slack's entities", () => {
    expect(slackText("R&D <!channel>")).toContain("R&amp;D &lt;!channel&gt; (acme)");
  });

  it("replaces marks without an escape by look-alikes", () => {
    expect(slackText("*b* _i_ ~s~ `c` :x: @here")).toContain("∗b∗ ˍiˍ ∼s∼ ˋcˋ ꞉x: ＠here (acme)");
  });

  it("leaves harmless characters unchanged", () => {
    expect(slackText("my_team a@b.example 10:30")).toContain("my_team a@b.example 10:30 (acme)");
  });

  it("never starts a quote with a reason", () => {
    expect(JSON.stringify(slackMessage(withReason("> all is well")))).toContain("Reason: › all is well");
  });
});

describe("a notice of the platform", () => {
  it.each(HOSTILE)("adds no tag, mention or line for the error %j", (error) => {
    const notice = aPlatformNotice("dead_letter", { dead_letters: 1, queue: "bursar-spend", error });
    const { text, blocks } = slackMessage(notice);
    expect(blockProblems(blocks, "blocks")).toEqual([]);
    expect(JSON.stringify({ text, blocks })).not.toMatch(/[<>]/);
    const { html, text: plain } = emailMessage(notice);
    const withoutError = emailMessage(aPlatformNotice("dead_letter", { error: "x" })).html;
    expect(new Set(html.match(/<[a-z]+/g))).toEqual(new Set(withoutError.match(/<[a-z]+/g)));
    expect(plain).not.toMatch(/^Bcc:/m);
  });
});

const CHATS = {
  discord: (notice: Notice) => discordMessage(notice, null),
  teams: (notice: Notice) => teamsMessage(notice, null),
  pagerduty: (notice: Notice) => ({ routing_key: "a".repeat(32), ...pagerDutyEvent(notice, null) }),
};

describe.each([
  ["Discord", CHATS.discord, discordEndpoint],
  ["Teams", CHATS.teams, teamsEndpoint],
  ["PagerDuty", CHATS.pagerduty, pagerDutyEndpoint],
])("a message to %s", (_, render, endpoint) => {
  it.each(HOSTILE)("passes the provider's checks for the name and the reason %j", (text) => {
    for (const notice of [withName(text), withReason(text)]) {
      const body = render(notice);
      const rawBody = JSON.stringify(body);
      const call = {
        id: "1",
        nowMs: 0,
        path: "/",
        headers: new Headers(),
        rawBody,
        body: JSON.parse(rawBody),
        isJson: true,
      };
      expect(endpoint.receive(call, {}).problems).toEqual([]);
      expect(rawBody.isWellFormed()).toBe(true);
    }
  });
});

it("escapes markup, mentions and links for Discord, and allows no mention", () => {
  const { embeds, allowed_mentions: allowed } = discordMessage(withName("**b** <@1> [x](http://y) @everyone"), null);
  expect(embeds?.[0]?.title).toContain("\\*\\*b\\*\\* \\<\\@1\\> \\[x\\]\\(http\\://y\\) \\@everyone (acme)");
  expect(allowed).toEqual({ parse: [] });
  const { embeds: ofReason } = discordMessage(withReason("<@1> [x](http://y)"), null);
  expect(ofReason?.[0]?.fields?.at(-1)?.value).toBe("\\<\\@1\\> \\[x\\]\\(http\\://y\\)");
});

it("shows text from outside to Teams only in text runs, which know no markup", () => {
  const card = JSON.stringify(teamsMessage(withReason("[x](http://y)"), null).attachments[0].content);
  expect(card).toContain('{"type":"TextRun","text":"[x](http://y)"}');
  expect(card).not.toContain('"TextBlock"');
});

describe("an event", () => {
  it.each(HOSTILE)("has the name %j unchanged", (name) => {
    expect(JSON.parse(eventBody(withName(name))).data.tenant_name).toBe(name);
  });
});

it("renders every format for any name, id, reason and channel", () => {
  const anyText = fc.oneof(fc.string({ unit: "binary", maxLength: 400 }), fc.constantFrom(...HOSTILE));
  fc.assert(
    fc.property(anyText, anyText, anyText, (name, id, reason) => {
      const tenantId = id as TenantId;
      const detail = { reason, granted_by: name, override_amount: reason, expires_at: id };
      const granted = aNotice("override_granted", { tenantName: name, tenantId, detail });
      const test = { test: { id: "t1", channelName: name, tenantId, requestedAt: 0 } };
      const letter = aPlatformNotice("dead_letter", { queue: name, error: reason, tenant_id: id, since: id });
      for (const notice of [granted, test, letter]) {
        const { text, blocks } = slackMessage(notice);
        expect(blockProblems(blocks, "blocks")).toEqual([]);
        expect(text + JSON.stringify(blocks)).not.toMatch(/[<>]/);
        const { subject, html } = emailMessage(notice);
        expect(subject).not.toMatch(/\p{Cc}/u);
        expect(subject.length).toBeLessThanOrEqual(200);
        expect(html.match(/<table/g)?.length).toBe(html.match(/<\/table>/g)?.length);
        JSON.parse(eventBody(notice));
      }
    }),
    { numRuns: 200 },
  );
});
