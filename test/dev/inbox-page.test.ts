// The inbox's page: shows the messages, and escapes everything in them.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Inbox, startInbox } from "../../dev/inbox/start.ts";
import { aNotice } from "../../dev/notices/samples.ts";
import { discordMessage } from "../../src/notices/providers/discord.ts";
import { pagerDutyEvent } from "../../src/notices/providers/pagerduty.ts";
import { teamsMessage } from "../../src/notices/providers/teams.ts";

const EVIL = `"'><img src=x onerror=alert(1)><script>alert(1)</script>`;

describe("the page", () => {
  let inbox: Inbox;
  beforeAll(async () => {
    inbox = await startInbox(0);
  });
  beforeEach(() => inbox.clear());
  afterAll(() => inbox.stop());

  async function post(path: string, body: object): Promise<void> {
    const headers = { "Content-Type": "application/json", Authorization: "Bearer x" };
    await fetch(inbox.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  const page = async () => (await fetch(`${inbox.url}/`)).text();

  const email = (html: string) =>
    post("/resend/emails", { from: `${EVIL} <a@example.com>`, to: "b@example.com", subject: EVIL, html, text: EVIL });

  it("escapes everything from outside, from every endpoint", async () => {
    const text = { type: "mrkdwn", text: EVIL };
    const blocks = [
      { type: "header", text: { type: "plain_text", text: EVIL } },
      { type: "section", text, fields: [text], accessory: { type: "button", text, url: EVIL, style: EVIL } },
      { type: "context", elements: [text, { type: "image", alt_text: EVIL }] },
      { type: EVIL },
    ];
    const field = { title: EVIL, value: EVIL };
    const attachment = { color: EVIL, pretext: EVIL, title: EVIL, title_link: EVIL, text: EVIL, fields: [field] };
    await post("/slack/x", { text: EVIL, username: EVIL, blocks, attachments: [attachment] });
    await email(EVIL);
    await post("/webhook/x", { type: EVIL, [EVIL]: EVIL });
    const filtered = await (await fetch(`${inbox.url}/?tenant=${encodeURIComponent(EVIL)}`)).text();
    const all = await page();
    expect(inbox.messages()).toHaveLength(3);
    expect(all).toContain("&lt;script&gt;alert(1)");
    for (const drawn of [filtered, all]) {
      expect(drawn).not.toContain("<script>alert");
      expect(drawn).not.toContain("<img");
    }
  });

  it("shows the text of Slack's blocks instead of the fallback text", async () => {
    const section = { type: "section", text: { type: "mrkdwn", text: "*What to do*\nRaise the &lt;limit&gt;" } };
    await post("/slack/x", { text: "fallback", blocks: [section] });
    expect(await page()).toContain("<b>What to do</b>\nRaise the &lt;limit&gt;");
    inbox.clear();
    await post("/slack/x", { text: "fallback" });
    expect(await page()).toContain("<p>fallback</p>");
  });

  it("shows an e-mail's fields and text, and links to its HTML", async () => {
    await post("/resend/emails", {
      from: "a@example.com",
      to: ["b@example.com"],
      subject: "S",
      html: "<p>H</p>",
      text: "T",
    });
    const shown = await page();
    for (const part of ["<dt>To</dt><dd>b@example.com</dd>", "<h2>S</h2>", "<pre>T</pre>"]) {
      expect(shown).toContain(part);
    }
    expect(shown).toContain(`href="/messages/${inbox.messages()[0]?.id}/html"`);
  });

  it("shows an e-mail's HTML in a frame in which nothing may run", async () => {
    await email("<p>H</p>");
    expect(await page()).toContain(
      `<iframe src="/messages/${inbox.messages()[0]?.id}/html" title="HTML" loading="lazy" sandbox>`,
    );
  });

  it("shows messages to Teams, Discord and PagerDuty as their readers see them, and runs nothing of them", async () => {
    const blocked = aNotice("budget_blocked", { threshold: 11_000n, spend: "552", tenantName: EVIL });
    const url = "https://bursar.example.com";
    await post("/teams/x", teamsMessage(blocked, url));
    await post("/discord/x", discordMessage(blocked, url));
    await post("/pagerduty/v2/enqueue", { ...pagerDutyEvent(blocked, url), routing_key: "a".repeat(32) });
    expect(inbox.messages().map(({ kind, status }) => [kind, status])).toEqual([
      ["pagerduty", 202],
      ["discord", 204],
      ["teams", 202],
    ]);
    expect(inbox.messages({ tenant: "acme" })).toHaveLength(3);
    const shown = await page();
    expect(shown.match(/\$552\.00/g)?.length).toBeGreaterThanOrEqual(3);
    expect(shown.match(/class="button" href="https:\/\/bursar\.example\.com\/tenants\/acme"/g)).toHaveLength(2);
    expect(shown).not.toContain("<script>alert");
    expect(shown).not.toContain("<img");
  });

  it("refuses what the vendors refuse, in their words", async () => {
    await post("/teams/x", { text: "hello" });
    await post("/discord/x", { embeds: [] });
    await post("/pagerduty/v2/enqueue", { event_action: "page" });
    expect(inbox.messages().map(({ status, problems }) => [status, problems.length > 0])).toEqual(
      Array.from({ length: 3 }, () => [400, true]),
    );
  });

  it("shows a webhook's event as JSON, and that it is not signed", async () => {
    await post("/webhook/x", { type: "budget.warning" });
    expect(await page()).toMatch(/401 refused · not signed[\s\S]*&quot;type&quot;: &quot;budget.warning&quot;/);
  });

  it("serves an e-mail's HTML unchanged, with a policy under which nothing may run or load", async () => {
    await email("<p>Hello</p>");
    const response = await fetch(`${inbox.url}/messages/${inbox.messages()[0]?.id}/html`);
    expect(await response.text()).toBe("<p>Hello</p>");
    expect(response.headers.get("content-security-policy")).toMatch(
      /^sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:/,
    );
    expect((await fetch(`${inbox.url}/messages/none/html`)).status).toBe(404);
  });

  it("loads nothing from anywhere and runs its own script only", async () => {
    const response = await fetch(`${inbox.url}/`);
    const text = await response.text();
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    const script = /<script>([\s\S]*)<\/script>/.exec(text)?.[1] ?? "";
    const hash = createHash("sha256").update(script).digest("base64");
    expect(response.headers.get("content-security-policy")).toContain(`default-src 'none'`);
    expect(response.headers.get("content-security-policy")).toContain(`script-src 'sha256-${hash}';`);
  });
});
