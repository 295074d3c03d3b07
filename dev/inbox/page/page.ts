// The page of the inbox: whole without a script, kept fresh by one. It loads nothing from anywhere.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { InboxMessage, Kind, MessageFilter } from "../message.ts";
import { renderCard } from "./card.ts";
import { Html, html } from "./html.ts";

/** Enough for a story; more would make each redraw slow. */
export const PAGE_LENGTH = 100;

const STYLE = ["page.css", "card.css", "slack.css"].map(read).join("\n");
const SCRIPT = read("live.js");

/** Inline styles, because the frames of e-mails inherit this policy; of scripts, the page's own and no other. */
export const PAGE_CSP = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "img-src data:",
  `script-src 'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`,
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
].join("; ");

const KIND_CHOICES: readonly (readonly [Kind | "", string])[] = [
  ["", "All"],
  ["slack", "Slack"],
  ["email", "E-mail"],
  ["webhook", "Webhook"],
];

const ACCEPTED_CHOICES = [
  ["", "Any"],
  ["true", "Accepted"],
  ["false", "Refused"],
] as const;

export function renderPage(messages: readonly InboxMessage[], filter: MessageFilter): string {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Bursar inbox</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
<body>
<header class="bar">
  <h1>Inbox</h1>
  <output id="state">newest ${PAGE_LENGTH}</output>
  <form>
    ${renderChoices("kind", KIND_CHOICES, filter.kind ?? "")}
    ${renderChoices("accepted", ACCEPTED_CHOICES, filter.accepted === undefined ? "" : `${filter.accepted}`)}
    <input type="search" name="tenant" placeholder="Tenant" aria-label="Tenant" value="${filter.tenant}">
  </form>
  <button id="empty" type="button">Empty</button>
</header>
<main id="messages" data-limit="${PAGE_LENGTH}">${messages.map(renderCard)}</main>
<p class="nothing">No notices yet. What Slack, Resend, the send_email binding and the webhooks would get arrives here; the same as JSON at <a href="/messages">/messages</a>.</p>
<script type="module">${new Html(SCRIPT)}</script>
</body>
</html>`.markup;
}

function renderChoices(name: string, choices: readonly (readonly [string, string])[], chosen: string): Html {
  return html`<fieldset class="choices">${choices.map(
    ([value, label]) =>
      html`<label><input type="radio" name="${name}" value="${value}" ${value === chosen && "checked"}>${label}</label>`,
  )}</fieldset>`;
}

function read(file: string): string {
  return readFileSync(new URL(`./${file}`, import.meta.url), "utf8");
}
