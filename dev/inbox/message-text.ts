// The text of a message as a reader sees it, to show it and to find a tenant in it. Reads only.

import type { InboxMessage } from "./message.ts";
import { isObject, objectOf, textOf } from "./untrusted-json.ts";

/** The keys under which Block Kit and attachments hold what is shown. */
const SHOWN_BY_SLACK = new Set(["text", "title", "value", "pretext", "footer", "author_name", "alt_text"]);

/** @see MessageFilter.tenant */
export function isAboutTenant(message: InboxMessage, tenant: string): boolean {
  if (message.kind === "webhook") return tenantOfEvent(message.body) === tenant;
  // `acme` is neither in `acme-eu` nor in `acme.eu`, yet it may end a sentence.
  return new RegExp(`(?<![\\w-]|\\w\\.)${RegExp.escape(tenant)}(?![\\w-]|\\.\\w)`, "i").test(renderedText(message));
}

/** Ours stands at the top of an event or in its `data`. */
export function tenantOfEvent(event: unknown): string | null {
  const { tenant_id: top, data } = objectOf(event);
  return textOf(top) || textOf(objectOf(data)["tenant_id"]) || null;
}

export function renderedText(message: InboxMessage): string {
  if (message.kind === "slack") return unescapeSlack(shownBySlack(message.body).join("\n")).replace(ITALIC, "$1");
  const { subject, text, html } = objectOf(message.body);
  return [textOf(subject), textOf(text), textOfHtml(textOf(html))].join("\n");
}

/** An underscore is part of a word, and would hide an id in italics. */
const ITALIC = /(?<!\w)_([^_\n]+)_(?!\w)/g;

function shownBySlack(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(shownBySlack);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "string" ? (SHOWN_BY_SLACK.has(key) ? [inner] : []) : shownBySlack(inner),
  );
}

/** What Slack shows of a payload: its `text` only stands in where there are no blocks. */
export function slackText(body: unknown): string {
  const { text, ...rest } = objectOf(body);
  const shown = shownBySlack(rest);
  return unescapeSlack(shown.length > 0 ? shown.join("\n") : textOf(text));
}

/** Slack escapes these three and no more. */
function unescapeSlack(text: string): string {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

function textOfHtml(html: string): string {
  return unescapeSlack(html.replace(/<(style|head)\b[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " "));
}
