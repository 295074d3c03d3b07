// The text of a message as its reader sees it, used to show it and to search it for a tenant. Pure.

import type { InboxMessage } from "./message.ts";
import { isObject, objectOf, textOf } from "./untrusted-json.ts";

/** The keys that hold visible text: of Block Kit and attachments, Adaptive Cards, embeds and incidents. */
const SHOWN = new Set([
  "text",
  "title",
  "value",
  "pretext",
  "footer",
  "author_name",
  "alt_text",
  "description",
  "name",
  "summary",
  "source",
]);

/** @see MessageFilter.tenant */
export function isAboutTenant(message: InboxMessage, tenant: string): boolean {
  if (message.kind === "webhook") return tenantOfEvent(message.body) === tenant;
  // `acme` must not match `acme-eu` or `acme.eu`, but it may be the last word of a sentence.
  return new RegExp(`(?<![\\w-]|\\w\\.)${RegExp.escape(tenant)}(?![\\w-]|\\.\\w)`, "i").test(renderedText(message));
}

/** An event has its tenant_id at the top level or in `data`. */
export function tenantOfEvent(event: unknown): string | null {
  const { tenant_id: top, data } = objectOf(event);
  return textOf(top) || textOf(objectOf(data)["tenant_id"]) || null;
}

export function renderedText(message: InboxMessage): string {
  if (message.kind === "slack") return unescapeSlack(shownIn(message.body).join("\n")).replace(ITALIC, "$1");
  if (message.kind !== "email") return shownIn(message.body).join("\n");
  const { subject, text, html } = objectOf(message.body);
  return [textOf(subject), textOf(text), textOfHtml(textOf(html))].join("\n");
}

/** Italics are removed: `_` is a word character for the search, so an id in italics would not be found. */
const ITALIC = /(?<!\w)_([^_\n]+)_(?!\w)/g;

function shownIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(shownIn);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "string" ? (SHOWN.has(key) ? [inner] : []) : shownIn(inner),
  );
}

/** The text that Slack shows for a payload. Slack shows the `text` field only when there are no blocks. */
export function slackText(body: unknown): string {
  const { text, ...rest } = objectOf(body);
  const shown = shownIn(rest);
  return unescapeSlack(shown.length > 0 ? shown.join("\n") : textOf(text));
}

/** All the visible text of a message of a chat, in its order. */
export function shownText(body: unknown): string {
  return unescapeSlack(shownIn(body).join("\n"));
}

/** Slack escapes only these three characters. */
export function unescapeSlack(text: string): string {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

function textOfHtml(html: string): string {
  return unescapeSlack(html.replace(/<(style|head)\b[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " "));
}
