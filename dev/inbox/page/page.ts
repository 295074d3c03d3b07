// The inbox page: the newest messages as text and as JSON. Loads nothing external and escapes all text of messages.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { html, raw } from "hono/html";
import { type InboxMessage, KINDS, type MessageFilter } from "../message.ts";
import { messageCard } from "./message-card.ts";

/** More messages would make each reload slow. */
export const PAGE_LENGTH = 100;

const STYLE = readFileSync(new URL("page.css", import.meta.url), "utf8");

/** Reloads the page when a message arrives. */
const SCRIPT = `
let seen;
setInterval(async () => {
  const etag = (await fetch("/messages?limit=1", { cache: "no-store" })).headers.get("etag");
  if (seen !== undefined && seen !== etag) location.reload();
  seen = etag;
}, 1000);
document.querySelector("#empty").onclick = () => fetch("/messages", { method: "DELETE" });
`;

const SCRIPT_HASH = createHash("sha256").update(SCRIPT).digest("base64");

export const PAGE_CSP =
  `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${SCRIPT_HASH}'; connect-src 'self'; ` +
  "frame-src 'self'; form-action 'self'; img-src data:; base-uri 'none'";

export function messagesPage(messages: readonly InboxMessage[], { kind, accepted, tenant }: MessageFilter) {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Bursar inbox</title>
<link rel="icon" href="data:,">
<style>${raw(STYLE)}</style>
<h1>Inbox</h1>
<form>
  ${select("kind", kind, { "": "all kinds", ...Object.fromEntries(KINDS.map((each) => [each, each])) })}
  ${select("accepted", accepted?.toString(), { "": "accepted or refused", true: "accepted", false: "refused" })}
  <input type="search" name="tenant" placeholder="tenant" aria-label="tenant" value="${tenant ?? ""}">
  <button>Filter</button>
  <button id="empty" type="button">Delete all</button>
</form>
<p>The newest ${PAGE_LENGTH} notices that Slack, Teams, Discord, PagerDuty, Resend, the send_email binding and webhooks would
have received.
As JSON: <a href="/messages">/messages</a>.</p>
${messages.length === 0 ? html`<p>No messages.</p>` : messages.map(messageCard)}
<script>${raw(SCRIPT)}</script>
</html>`;
}

function select(name: string, chosen: string | undefined, labels: Readonly<Record<string, string>>) {
  const options = Object.entries(labels).map(
    ([value, label]) => html`<option value="${value}" ${value === (chosen ?? "") ? "selected" : ""}>${label}</option>`,
  );
  return html`<select name="${name}" aria-label="${name}">${options}</select>`;
}
