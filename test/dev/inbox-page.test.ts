// The page of the inbox: drawn as Slack draws, and nothing from outside becomes markup.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { renderMrkdwn } from "../../dev/inbox/page/mrkdwn.ts";
import { renderSlackMessage } from "../../dev/inbox/page/slack-message.ts";
import { type Inbox, startInbox } from "../../dev/inbox/start.ts";

const EVIL = `"'><img src=x onerror=alert(1)><script>alert(1)</script>`;

describe("mrkdwn", () => {
  it.each([
    ["*bold* and _italic_ and ~struck~", "<b>bold</b> and <i>italic</i> and <s>struck</s>"],
    ["*bold with `code` and _more_*", "<b>bold with <code>code</code> and <i>more</i></b>"],
    ["2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"],
    ["`*not bold*`", "<code>*not bold*</code>"],
    ["```*not bold*```", "<pre>*not bold*</pre>"],
    [":warning: and :no_such_thing:", "⚠️ and :no_such_thing:"],
    ["10:30:45", "10:30:45"],
    ["&gt; a\n&gt; b\nc", "<blockquote>a\nb</blockquote>c"],
    [
      "<https://example.com/?a=1&amp;b=2|here>",
      '<a href="https://example.com/?a=1&amp;b=2" target="_blank" rel="noreferrer noopener">here</a>',
    ],
    ["<!here> <@U1|sam>", '<span class="mention">@here</span> <span class="mention">sam</span>'],
    ["a &lt;b&gt; &amp;amp; c", "a &lt;b&gt; &amp;amp; c"],
    ["<javascript:alert(1)|click>", "click"],
    [
      '<https://x" onclick="alert(1)|x>',
      '<a href="https://x&quot; onclick=&quot;alert(1)" target="_blank" rel="noreferrer noopener">x</a>',
    ],
  ])("%j", (text, expected) => {
    expect(renderMrkdwn(text).markup).toBe(expected);
  });
});

it("a colour of an attachment that is none does not reach the style", () => {
  const drawn = (color: string) => renderSlackMessage({ text: "x", attachments: [{ color, text: "y" }] }, null).markup;
  expect(drawn("#e8912d")).toContain('style="--bar: #e8912d"');
  expect(drawn("danger")).toContain('style="--bar: #e01e5a"');
  expect(drawn("red; background: url(//evil)")).not.toContain("evil");
});

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

  const email = (html: string) =>
    post("/resend/emails", { from: `${EVIL} <a@example.com>`, to: "b@example.com", subject: EVIL, html, text: EVIL });

  it("escapes everything from outside, whatever it came in by", async () => {
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
    const page = await (await fetch(`${inbox.url}/?tenant=${encodeURIComponent(EVIL)}`)).text();
    const all = await (await fetch(`${inbox.url}/`)).text();
    expect(inbox.messages()).toHaveLength(3);
    expect(all).toContain("&lt;script&gt;alert(1)");
    for (const drawn of [page, all]) {
      expect(drawn).not.toContain("<script>alert");
      expect(drawn).not.toContain("<img");
    }
  });

  it("shows an e-mail in a frame without rights, with its text beside it", async () => {
    await email("<p>Hello</p>");
    const page = await (await fetch(`${inbox.url}/`)).text();
    expect(page).toContain('<iframe sandbox="" title="The HTML part" srcdoc="&lt;p&gt;Hello&lt;/p&gt;"></iframe>');
    expect(page).toContain('value="text"');
  });

  it("gives an e-mail's HTML alone, as it came, where nothing may run or load", async () => {
    await email("<p>Hello</p>");
    const response = await fetch(`${inbox.url}/messages/${inbox.messages()[0]?.id}/html`);
    expect(await response.text()).toBe("<p>Hello</p>");
    expect(response.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'unsafe-inline'; img-src data:/,
    );
    expect((await fetch(`${inbox.url}/messages/none/html`)).status).toBe(404);
  });

  it("loads nothing from anywhere and runs its own script only", async () => {
    const response = await fetch(`${inbox.url}/`);
    expect(await response.text()).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none';.*script-src 'sha256-[^ ]+';/);
  });

  it("polls for the same cards that it was drawn with", async () => {
    await post("/slack/x", { text: "Hello" });
    const polled = (await (await fetch(`${inbox.url}/messages?rendered=true`)).json()) as { data: { html: string }[] };
    expect(await (await fetch(`${inbox.url}/`)).text()).toContain(polled.data[0]?.html);
    expect(polled.data[0]?.html).toContain("Hello");
  });
});
