// An e-mail drawn: its head, and its HTML in a frame without rights, since it may hold anything.

import { addressTexts } from "../email-address.ts";
import type { InboxMessage } from "../message.ts";
import { objectOf, textOf } from "../untrusted-json.ts";
import { type Html, html } from "./html.ts";

/** For an e-mail's HTML alone: nothing runs, nothing is fetched, no form leaves. */
export const EMAIL_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'";

/** Null when there is no such message, or none with HTML. */
export function emailHtml(message: InboxMessage | undefined): string | null {
  return message?.kind === "email" ? textOf(objectOf(message.body)["html"]) || null : null;
}

export function renderEmail(message: InboxMessage): Html {
  const { from, to, reply_to: replyTo, replyTo: replyToOfBinding, subject, text } = objectOf(message.body);
  const markup = emailHtml(message);
  const rows = [
    ["From", addressTexts(from)],
    ["To", addressTexts(to)],
    ["Reply to", addressTexts(replyTo ?? replyToOfBinding)],
  ] as const;
  return html`<div class="email">
    <h3>${textOf(subject) || "(no subject)"}</h3>
    <dl>${rows.map(([label, all]) => all.length > 0 && html`<dt>${label}</dt><dd>${all.join(", ")}</dd>`)}</dl>
    ${renderParts(message.id, { markup, text: textOf(text) })}
  </div>`;
}

/** The radio buttons choose the part without a script; see `.parts` in card.css. */
function renderParts(id: string, { markup, text }: { markup: string | null; text: string }): Html {
  const isHtmlFirst = markup !== null;
  return html`<div class="parts">
    <label><input type="radio" name="part-${id}" value="html" ${attribute("checked", isHtmlFirst)} ${attribute("disabled", !isHtmlFirst)}>HTML</label>
    <label><input type="radio" name="part-${id}" value="text" ${attribute("checked", !isHtmlFirst)} ${attribute("disabled", text === "")}>Text</label>
    ${isHtmlFirst && html`<a href="/messages/${id}/html" target="_blank">alone</a>`}
    ${isHtmlFirst && html`<iframe sandbox="" title="The HTML part" srcdoc="${markup}"></iframe>`}
    <pre class="text">${text}</pre>
  </div>`;
}

function attribute(name: "checked" | "disabled", isSet: boolean): string {
  return isSet ? name : "";
}
