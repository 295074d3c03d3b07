// Slack's mrkdwn as HTML. Only http, https and mailto become links; all else from outside is text.

import { unescapeSlack } from "../message-text.ts";
import { emojiOf } from "./emoji.ts";
import { type Html, html, type Renderable } from "./html.ts";

/** In this order at each place: code, <link>, :emoji:, *bold*, _italic_, ~struck~; the marks stand at a word's edge. */
const TOKEN =
  /`(?<code>[^`\n]+)`|<(?<link>[^<>\n]+)>|:(?<emoji>[a-z0-9_+-]+):|(?<![\w*])\*(?=\S)(?<bold>[^*\n]*[^*\s])\*(?![\w*])|(?<!\w)_(?=\S)(?<italic>[^_\n]*[^_\s])_(?!\w)|(?<![\w~])~(?=\S)(?<struck>[^~\n]*[^~\s])~(?![\w~])/g;

const SAFE_LINK = /^(?:https?:\/\/|mailto:)/i;

export function renderMrkdwn(text: string): Html {
  // Every second part stood between fences.
  const parts = text.split("```");
  return html`${parts.map((part, at) => (at % 2 === 1 ? html`<pre>${unescapeSlack(part).trim()}</pre>` : renderQuotes(part)))}`;
}

/** Lines that begin with an escaped `>`, one after the other, are one quote. */
function renderQuotes(text: string): Renderable {
  return text
    .split(/((?:^&gt;.*(?:\n|$))+)/m)
    .map((part) =>
      part.startsWith("&gt;")
        ? html`<blockquote>${renderInline(part.replace(/^&gt; ?/gm, "").trimEnd())}</blockquote>`
        : renderInline(part),
    );
}

function renderInline(text: string): Renderable {
  const parts: Renderable[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(unescapeSlack(text.slice(end, match.index)), renderToken(match.groups ?? {}));
    end = match.index + match[0].length;
  }
  return [...parts, unescapeSlack(text.slice(end))];
}

function renderToken({ code, link, emoji, bold, italic, struck }: Record<string, string | undefined>): Renderable {
  if (code !== undefined) return html`<code>${unescapeSlack(code)}</code>`;
  if (link !== undefined) return renderLink(link);
  if (emoji !== undefined) return emojiOf(emoji);
  if (bold !== undefined) return html`<b>${renderInline(bold)}</b>`;
  if (italic !== undefined) return html`<i>${renderInline(italic)}</i>`;
  return html`<s>${renderInline(struck ?? "")}</s>`;
}

/** A link, or a mention of people or a channel, or a date, of which Slack's clients show the part after the bar. */
function renderLink(content: string): Renderable {
  const [target = "", label] = content.split("|", 2).map(unescapeSlack);
  if (/^[@#!]/.test(target)) {
    const name = target.startsWith("!") ? `@${target.slice(1)}` : target;
    return html`<span class="mention">${label ?? name}</span>`;
  }
  if (!SAFE_LINK.test(target)) return label ?? target;
  return html`<a href="${target}" target="_blank" rel="noreferrer noopener">${label ?? target}</a>`;
}
