// One message on the page: the inbox's answer to it, its text and fields, and its headers and body as JSON.

import { html } from "hono/html";
import type { InboxMessage } from "../message.ts";
import { addressTexts } from "../receivers/email-address.ts";
import { objectOf, textOf } from "../untrusted-json.ts";
import { pictureOf } from "./picture.ts";

/** For the page that shows the HTML of one e-mail. The HTML may not run scripts, load resources or submit forms. */
export const EMAIL_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'";

const SIGNATURES = {
  valid: "signature valid",
  unknown_secret: "secret unknown",
  invalid: "signature invalid",
  missing: "not signed",
} as const;

export function messageCard(message: InboxMessage) {
  const { id, via, path, received_at: receivedAt, accepted, status, signature, repeats, problems } = message;
  const answer = status === null ? "not answered" : `${status} ${accepted ? "accepted" : "refused"}`;
  const marks = [answer, signature && SIGNATURES[signature], repeats ? `repeat ${repeats}` : null];
  return html`<article id="message-${id}" class="${accepted ? "accepted" : "refused"}">
  <h2>${message.summary || "(no summary)"}</h2>
  <p><time>${receivedAt}</time> · ${via} ${path} · ${marks.filter((mark) => mark).join(" · ")}</p>
  ${problems.map((problem) => html`<p class="problem">${problem}</p>`)}
  ${content(message)}
  <details ${message.kind === "webhook" ? "open" : ""}><summary>JSON</summary>
  <pre>${JSON.stringify({ headers: message.headers, body: message.body }, null, 2)}</pre></details>
</article>`;
}

/** Null when there is no message or it has no HTML. */
export function emailHtml(message: InboxMessage | undefined): string | null {
  return message?.kind === "email" ? textOf(objectOf(message.body)["html"]) || null : null;
}

function content(message: InboxMessage) {
  if (message.kind !== "email") return pictureOf(message) ?? "";
  const { from, to, reply_to: replyTo, replyTo: replyToOfBinding, text } = objectOf(message.body);
  const fields = { From: from, To: to, "Reply to": replyTo ?? replyToOfBinding };
  return html`<dl>${Object.entries(fields).map(
    ([name, value]) => html`<dt>${name}</dt><dd>${addressTexts(value).join(", ")}</dd>`,
  )}</dl>
  ${emailHtml(message) === null ? "" : html`<iframe src="/messages/${message.id}/html" title="HTML" loading="lazy" sandbox></iframe>`}
  <details><summary>Text</summary><pre>${textOf(text)}</pre></details>
  ${emailHtml(message) === null ? "" : html`<a href="/messages/${message.id}/html" target="_blank">HTML</a>`}`;
}
