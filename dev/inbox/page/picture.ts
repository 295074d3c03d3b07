// Messages to chats and to PagerDuty as their readers see them, roughly: the layout and the emphasis, not the vendor's
// design. Escapes all text of messages.

import { html } from "hono/html";
import type { InboxMessage } from "../message.ts";
import { unescapeSlack } from "../message-text.ts";
import { cardOf } from "../receivers/teams.ts";
import { isObject, type JsonObject, listOf, objectOf, textOf } from "../untrusted-json.ts";

type Markup = ReturnType<typeof html>;

/** Of Bursar's own messages; any other name is shown as it is. */
const EMOJI: Readonly<Record<string, string>> = {
  ":large_green_circle:": "🟢",
  ":warning:": "⚠️",
  ":rotating_light:": "🚨",
  ":no_entry:": "⛔",
  ":arrows_counterclockwise:": "🔄",
  ":ticket:": "🎟️",
  ":octagonal_sign:": "🛑",
  ":wrench:": "🔧",
};

/** Null for a kind that is shown otherwise: an e-mail by its HTML, an event as JSON. */
export function pictureOf({ kind, body }: InboxMessage): Markup | null {
  switch (kind) {
    case "slack":
      return slackPicture(objectOf(body));
    case "teams":
      return html`<div class="picture">${listOf(cardOf(body)["body"]).map(teamsElement)}${listOf(cardOf(body)["actions"]).map(teamsAction)}</div>`;
    case "discord":
      return html`${listOf(objectOf(body)["embeds"]).map((embed) => discordEmbed(objectOf(embed)))}`;
    case "pagerduty":
      return pagerDutyPicture(objectOf(body));
    default:
      return null;
  }
}

function slackPicture({ text, blocks, attachments }: JsonObject): Markup {
  const all = [blocks, ...listOf(attachments).map((each) => objectOf(each)["blocks"])].flatMap(listOf).map(objectOf);
  return html`<div class="picture">${all.length === 0 ? html`<p>${slackText(text)}</p>` : all.map(slackBlock)}</div>`;
}

function slackBlock({ type, text, elements, fields }: JsonObject): Markup {
  if (type === "header") return html`<h3>${slackText(objectOf(text)["text"])}</h3>`;
  if (type === "actions") return html`<p>${listOf(elements).map(slackButton)}</p>`;
  if (type === "divider") return html`<hr>`;
  const texts = [text, ...listOf(fields), ...listOf(elements)].filter(isObject).map((each) => slackText(each["text"]));
  return html`<p class="${type === "context" ? "small" : ""}">${texts.map((each) => html`<span>${each}</span> `)}</p>`;
}

function slackButton(element: unknown): Markup {
  const { text, url } = objectOf(element);
  return button(objectOf(text)["text"], url);
}

/** Slack's bold text and emoji. */
function slackText(value: unknown): Markup {
  const text = textOf(value).replace(/:[a-z_]+:/g, (name) => EMOJI[name] ?? name);
  const parts = text.split(/\*([^*\n]+)\*/).map(unescapeSlack);
  return html`${parts.map((part, at) => (at % 2 === 1 ? html`<b>${part}</b>` : part))}`;
}

function teamsElement(element: unknown): Markup {
  const { type, inlines, columns, items } = objectOf(element);
  if (type === "ColumnSet") return html`<div class="columns">${listOf(columns).map(teamsElement)}</div>`;
  if (type === "Column") return html`<div>${listOf(items).map(teamsElement)}</div>`;
  return html`<p>${listOf(inlines).map((run) => teamsRun(objectOf(run)))}</p>`;
}

function teamsRun({ text, weight, size, isSubtle, fontType }: JsonObject): Markup {
  const classes = [weight, size, isSubtle === true ? "small" : "", fontType].map(textOf).join(" ");
  return html`<span class="${classes}">${textOf(text)}</span>`;
}

function teamsAction(action: unknown): Markup {
  const { title, url } = objectOf(action);
  return html`<p>${button(title, url)}</p>`;
}

function discordEmbed({ title, description, url, fields, footer }: JsonObject): Markup {
  const lines = textOf(description).split("\n");
  return html`<div class="picture">
  <h3>${typeof url === "string" ? html`<a href="${url}">${discordText(title)}</a>` : discordText(title)}</h3>
  ${lines.map((line) => html`<p>${discordText(line)}</p>`)}
  <div class="columns">${listOf(fields).map((field) => html`<div><p class="small">${discordText(objectOf(field)["name"])}</p><p>${discordText(objectOf(field)["value"])}</p></div>`)}</div>
  <p class="small">${textOf(objectOf(footer)["text"])}</p></div>`;
}

/** Without the backslashes of its escapes and the marks of code; a link as its text. */
function discordText(value: unknown): string {
  const text = textOf(value).replace(/(?<!\\)\[([^\]]+)\]\([^)]+\)/g, "$1 ↗");
  return text.replace(/(?<!\\)`/g, "").replace(/\\([^\w\s])/g, "$1");
}

function pagerDutyPicture({ event_action: action, dedup_key: key, payload, links }: JsonObject): Markup {
  const { summary, severity, source, custom_details: details } = objectOf(payload);
  const rows = Object.entries({ Action: action, Severity: severity, Source: source, Key: key, ...objectOf(details) });
  return html`<div class="picture"><h3>${textOf(summary)}</h3>
  <dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${String(value)}</dd>`)}</dl>
  ${listOf(links).map((link) => html`<p>${button(objectOf(link)["text"], objectOf(link)["href"])}</p>`)}</div>`;
}

function button(label: unknown, url: unknown): Markup {
  const isLink = /^https?:\/\//.test(textOf(url));
  return isLink ? html`<a class="button" href="${textOf(url)}">${textOf(label)}</a>` : html`<b>${textOf(label)}</b>`;
}
